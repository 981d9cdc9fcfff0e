"""Forms: plain Django ones that can take a service's refusal, and rows of them that a person adds and removes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from django import forms
from django.utils.datastructures import MultiValueDict

from chekhov.errors import Refusal

_SPACES = re.compile(r"[\s\u00a0\u202f]")


def plain_number(text: str) -> str:
    """``1 250,50`` as people type it → ``1250.50`` as services read it."""
    return _SPACES.sub("", text).replace(",", ".")


class PanelForm(forms.Form):
    """A form whose messages are ours: the browser's own bubbles speak the browser's language."""

    use_required_attribute = False
    required_css_class = "required"

    def refuse(self, refusal: Refusal, *, aliases: Mapping[str, str] | None = None) -> None:
        """Show a service's refusal: each fault at its field, the rest above the form."""
        shown = False
        for fault in refusal.faults:
            name = (aliases or {}).get(fault.path, fault.path)
            if name in self.fields:
                self.add_error(name, fault.message)
                shown = True
        if not shown:
            self.add_error(None, f"{refusal.detail} {refusal.next_step}".strip())


class NumberText(forms.CharField):
    """A number typed by a person: spaces and a decimal comma are welcome. The value is the text for a service."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"})
        super().__init__(**{"max_length": 40, "widget": widget, **options})

    def clean(self, value: Any) -> str:
        return plain_number(super().clean(value))


class DateText(forms.DateField):
    """A date as 31.12.2026. The browser's own picker would write it by the browser's language, not ours."""

    def __init__(self, **options: Any) -> None:
        attrs = {"placeholder": "дд.мм.гггг", "inputmode": "numeric", "autocomplete": "off"}
        widget = forms.DateInput(format="%d.%m.%Y", attrs=attrs)
        super().__init__(widget=widget, input_formats=["%d.%m.%Y", "%Y-%m-%d"], **options)


F = TypeVar("F", bound=PanelForm)


class Rows(Generic[F]):
    """Rows of one kind of form. Their numbers come from the posted names, so rows may be added and removed at will."""

    def __init__(
        self,
        form: type[F],
        prefix: str,
        *,
        data: MultiValueDict[str, str] | None = None,
        initial: Sequence[Mapping[str, Any]] = (),
        options: Mapping[str, Any] | None = None,
        most: int = 200,
    ) -> None:
        self.prefix = prefix
        given = dict(options or {})
        if data is not None:
            pattern = re.compile(rf"{re.escape(prefix)}-(\d{{1,5}})-")
            numbers = sorted({int(found[1]) for name in data if (found := pattern.match(name))})[:most]
            self.forms = [form(data, prefix=f"{prefix}-{number}", **given) for number in numbers]
        else:
            self.forms = [
                form(prefix=f"{prefix}-{number}", initial=dict(values), **given)
                for number, values in enumerate(initial)
            ]
        self.blank = form(prefix=f"{prefix}-__n__", **given)
        self.problem = ""

    def filled(self) -> list[F]:
        """The rows in which something is written."""
        return [row for row in self.forms if row.has_changed()]

    def is_valid(self) -> bool:
        """Whether every filled row is well formed."""
        return not any([not row.is_valid() for row in self.filled()])  # noqa: C419 every row shows its own faults

    def refuse(self, refusal: Refusal, path: str) -> bool:
        """Show the faults below `path` at their rows; whether there was any."""
        rows, shown = self.filled(), False
        for fault in refusal.faults:
            parts = fault.path.split(".")
            if parts[0] != path:
                continue
            shown = True
            if len(parts) == 3 and parts[1].isdigit() and int(parts[1]) < len(rows):
                row = rows[int(parts[1])]
                row.add_error(parts[2] if parts[2] in row.fields else None, fault.message)
            else:
                self.problem = fault.message
        return shown
