"""«Оповещения»: what is wrong now, who is told of it, by which rules, and what became of each notice."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from chekhov.config.database import read_clock_ms
from chekhov.directory.models import TIME_ZONES
from chekhov.errors import Refusal
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, page, staff, told
from chekhov.panel.words import ago
from chekhov.watch.messages import title_of
from chekhov.watch.models import Channel, Dispatch, Problem
from chekhov.watch.problems import policy_read
from chekhov.watch.rules import RULES, RuleAsSet, rules_as_set
from chekhov.watch.services import PolicyContent, RuleContent, policy_save, rules_save
from chekhov.watch.turns import SILENT_MS, watched_seconds_ago
from chekhov.watch.words import local_time

SHOWN = 30
_STATES = {"waiting": ("schedule", "calm"), "sent": ("check_circle", "good"), "given_up": ("error", "bad")}


class RulesForm(PanelForm):
    """Each rule: on or off, its figure, whether it is told in quiet hours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.as_set = rules_as_set()
        for item in self.as_set:
            code, title = item.rule.code, item.rule.title
            self.fields[f"{code}-on"] = _check(f"{title}: сообщать", item.is_on)
            self.fields[f"{code}-urgent"] = _check(f"{title}: и в тихие часы", item.is_urgent)
            limits = item.rule.threshold
            if limits is not None:
                self.fields[f"{code}-threshold"] = forms.IntegerField(
                    label=f"{title}: {limits.label}",
                    initial=item.threshold,
                    widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "class": "number"}),
                )

    def rows(self) -> list[dict[str, Any]]:
        """The rules with their fields, for the page."""
        return [
            {
                "rule": item.rule,
                "on": self[f"{item.rule.code}-on"],
                "urgent": self[f"{item.rule.code}-urgent"],
                "threshold": self[f"{item.rule.code}-threshold"] if item.rule.threshold else None,
            }
            for item in self.as_set
        ]

    def content(self) -> dict[str, RuleContent]:
        """The form as the service takes it."""
        return {item.rule.code: self._content(item) for item in self.as_set}

    def _content(self, item: RuleAsSet) -> RuleContent:
        code, data = item.rule.code, self.cleaned_data
        return RuleContent(data[f"{code}-on"], data.get(f"{code}-threshold", 0), data[f"{code}-urgent"])


def _check(label: str, is_on: bool) -> forms.BooleanField:
    widget = forms.CheckboxInput(attrs={"aria-label": label})
    return forms.BooleanField(label=label, required=False, initial=is_on, widget=widget)


class MinuteText(forms.CharField):
    """A time of the day as 22:00. The value is minutes."""

    def __init__(self, **options: Any) -> None:
        attrs = {"placeholder": "чч:мм", "inputmode": "numeric", "autocomplete": "off"}
        super().__init__(widget=forms.TextInput(attrs=attrs), max_length=5, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found = re.fullmatch(r"(\d{1,2})[:.](\d{2})", text)
        if not found or int(found[1]) > 23 or int(found[2]) > 59:
            raise forms.ValidationError("Время вида 22:00.")
        return int(found[1]) * 60 + int(found[2])


class PolicyForm(PanelForm):
    """Quiet hours, reminders, and how much is too much."""

    quiet_on = forms.BooleanField(
        label="Соблюдать тихие часы",
        required=False,
        help_text="Несрочное ждёт до утра и приходит одним сообщением. Срочное приходит сразу: срочность — в правилах.",
    )
    time_zone = forms.TypedChoiceField(label="Часовой пояс магазина", choices=TIME_ZONES, coerce=int)
    quiet_from = MinuteText(label="Тихие часы с")
    quiet_to = MinuteText(label="до")
    reminder_hours = forms.IntegerField(label="Напоминать через, часов", help_text="0 — не напоминать.")
    reminders_most = forms.IntegerField(label="Напоминаний не больше")
    messages_an_hour = forms.IntegerField(
        label="Сообщений в час не больше", help_text="В один канал. Остальное придёт позже одним сообщением."
    )
    tell_recovery = forms.BooleanField(label="Сообщать, что исправлено", required=False)


def _policy_initial() -> dict[str, Any]:
    row = policy_read()
    values = {name: getattr(row, name) for name in PolicyContent.__dataclass_fields__}
    for name in ("quiet_from", "quiet_to"):
        values[name] = f"{values[name] // 60:02}:{values[name] % 60:02}"
    return values


def _channels(now_ms: int) -> list[dict[str, Any]]:
    """Channels with their state in words."""
    found = []
    for row in Channel.objects.filter(removed_at__isnull=True).order_by("pk"):
        mark = ("Работает", "check_circle", "good")
        if not row.is_on:
            mark = ("Выключен", "block", "off")
        elif row.error_code:
            mark = ("Не работает", "error", "bad")
        elif row.next_try_ms > now_ms:
            mark = ("Отдыхает", "schedule", "warn")  # the cap of an hour
        elif row.last_ok_ms is None:
            mark = ("Ещё не проверен", "help", "calm")
        again = row.next_try_ms - now_ms if row.is_on and row.next_try_ms > now_ms else 0
        found.append(
            {
                "row": row,
                "mark": mark,
                "last_ok": ago((now_ms - row.last_ok_ms) / 1000) if row.last_ok_ms is not None else "",
                "again": ago(again / 1000) if again else "",
            }
        )
    return found


def _history(time_zone: int) -> list[dict[str, Any]]:
    """The newest dispatches, each with what became of it."""
    rows = Dispatch.objects.select_related("notice", "channel").order_by("-pk")[:SHOWN]
    return [
        {
            "row": row,
            "title": title_of(row.notice),
            "at": local_time(row.notice.at_ms, time_zone),
            "mark": (row.get_state_display(), *_STATES[row.state]),
            "due": local_time(row.due_ms, time_zone) if row.state == "waiting" else "",
        }
        for row in rows
    ]


def _problems(now_ms: int) -> list[dict[str, Any]]:
    rows = Problem.objects.filter(closed_ms__isnull=True).order_by("-is_urgent", "pk")[:SHOWN]
    return [
        {
            "row": row,
            "title": RULES[row.rule].title if row.rule in RULES else row.rule,
            "past": ago((now_ms - row.opened_ms) / 1000),
        }
        for row in rows
    ]


def _page(request: HttpRequest, rules: RulesForm, policy: PolicyForm) -> HttpResponse:
    now_ms, seconds = read_clock_ms(), watched_seconds_ago()
    return page(
        request,
        "alerts",
        "Оповещения",
        problems=_problems(now_ms),
        channels=_channels(now_ms),
        history=_history(policy_read().time_zone),
        rules_form=rules,
        policy_form=policy,
        is_silent=seconds is None or seconds * 1000 > SILENT_MS,
        code=422 if rules.is_bound or policy.is_bound else 200,
    )


@staff
def show(request: HttpRequest) -> HttpResponse:
    return _page(request, RulesForm(), PolicyForm(initial=_policy_initial()))


@staff
@require_POST
def rules(request: HttpRequest) -> HttpResponse:
    """Save the rules."""
    form = RulesForm(request.POST)
    if form.is_valid():
        try:
            rules_save(rules=form.content(), actor=actor(request))
        except Refusal as refusal:
            form.refuse(refusal, aliases={f"{code}.threshold": f"{code}-threshold" for code in RULES})
        else:
            told(request, "Правила сохранены: новые действуют с ближайшей проверки.")
            return redirect("panel:alerts")
    return _page(request, form, PolicyForm(initial=_policy_initial()))


@staff
@require_POST
def policy(request: HttpRequest) -> HttpResponse:
    """Save quiet hours, reminders and the cap."""
    form = PolicyForm(request.POST)
    if form.is_valid():
        try:
            policy_save(content=PolicyContent(**form.cleaned_data), actor=actor(request))
        except Refusal as refusal:
            form.refuse(refusal)
        else:
            told(request, "Тихие часы и напоминания сохранены.")
            return redirect("panel:alerts")
    return _page(request, RulesForm(), form)
