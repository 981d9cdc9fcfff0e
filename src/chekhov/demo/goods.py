"""What the demo shop sells, and to whom. The names are real kinds of parts; the people are invented."""

from __future__ import annotations

from chekhov.sales.content import LineContent

PARTS: tuple[LineContent, ...] = (
    LineContent("Фильтр масляный MANN W 914/2", "486.00", "1"),
    LineContent("Фильтр воздушный MANN C 25 101", "912.50", "1"),
    LineContent("Фильтр салона угольный BIG FILTER GB-9833", "640.00", "1"),
    LineContent("Свеча зажигания NGK BKR6E-11", "385.50", "4"),
    LineContent("Колодки тормозные передние TRW GDB1550", "3150.00", "1"),
    LineContent("Диск тормозной Brembo 09.9468.10", "4280.00", "2"),
    LineContent("Амортизатор передний KYB Excel-G 333305", "3120.30", "2"),
    LineContent("Опора амортизатора SS20", "1105.00", "2"),
    LineContent("Ремень ГРМ Gates 5670XS", "1890.00", "1"),
    LineContent("Насос водяной Luzar LWP 0127", "2340.00", "1"),
    LineContent("Лампа H7 12V 55W OSRAM", "199.99", "3"),
    LineContent("Клемма аккумулятора латунная", "75.25", "2"),
    LineContent("Предохранители флажковые, набор 10 шт", "450.50", "1"),
    LineContent("Шланг топливный Ø8 мм", "289.90", "1.357", unit="м"),
    LineContent("Щётка стеклоочистителя Bosch Aerotwin 600 мм", "1290.00", "1"),
    LineContent("Стартер КАТЭК 5722.3708", "12000.00", "1"),
    LineContent("Аккумулятор AKOM 60 А·ч", "7890.00", "1"),
    LineContent("Датчик износа колодок", "860.00", "2"),
    LineContent("Рычаг подвески Lemförder 26791 01", "5640.00", "1"),
    LineContent("Пыльник ШРУСа, комплект", "735.00", "1"),
)
TYRE = LineContent("Шина Cordiant Snow Cross 2 205/55 R16", "6780.00", "4", marking="tires")
DELIVERY = LineContent("Доставка курьером", "350.00", "1", object="service", discountable=False)
FITTING = LineContent("Замена масла с фильтром", "900.00", "1", object="work")

PEOPLE: tuple[tuple[str, str, str], ...] = (
    ("Иванов Сергей Петрович", "s.ivanov@example.ru", "+79161234501"),
    ("Кузнецова Ольга", "o.kuznetsova@example.ru", ""),
    ("Смирнов Алексей", "", "+79261234503"),
    ("Попов Дмитрий Андреевич", "popov.d@example.ru", "+79031234504"),
    ("Васильева Мария", "m.vasileva@example.ru", "+79851234505"),
    ("Соколов Игорь", "sokolov@example.ru", ""),
    ("Михайлова Елена", "", "+79111234507"),
    ("Новиков Андрей", "novikov.a@example.ru", "+79211234508"),
    ("Фёдоров Павел", "fedorov@example.ru", "+79221234509"),
    ("Морозова Татьяна", "t.morozova@example.ru", ""),
)
