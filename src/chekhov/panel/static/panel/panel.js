"use strict";
/* What the pages need beside the theme: copying a link, one click for one action, rows of a form, totals. */

(() => {
  const field = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    return area;
  };

  /* The clipboard may be forbidden (no https, no permission): then select and copy the old way. */
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch (error) {
        /* fall through */
      }
    }
    const area = field(text);
    area.select();
    area.setSelectionRange(0, text.length);
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch (error) {
      done = false;
    }
    area.remove();
    return done;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      event.preventDefault();
      const text = button.dataset.copy;
      const label = button.querySelector("[data-label]") || button;
      const before = label.dataset.before || label.textContent;
      label.dataset.before = before;
      label.textContent = (await copy(text)) ? "Скопировано" : "Выделите и скопируйте: Ctrl+C";
      button.classList.add("copied");
      setTimeout(() => {
        label.textContent = before;
        button.classList.remove("copied");
      }, 2500);
      return;
    }
    const add = event.target.closest("[data-add-row]");
    if (add) {
      const rows = document.getElementById(add.dataset.addRow);
      const template = document.getElementById(`${add.dataset.addRow}-blank`);
      const used = [...rows.querySelectorAll("[name]")].map((item) => Number((/-(\d+)-/.exec(item.name) || [0, -1])[1]));
      const number = Math.max(-1, ...used) + 1;
      const holder = document.createElement(rows.tagName);
      holder.innerHTML = template.innerHTML.replaceAll("__n__", String(number));
      const row = holder.firstElementChild;
      rows.append(row);
      const first = row.querySelector("input, select");
      if (first) first.focus();
      total(rows.closest("form"));
      return;
    }
    const remove = event.target.closest("[data-remove-row]");
    if (remove) {
      const form = remove.closest("form");
      remove.closest("[data-row]").remove();
      total(form);
      return;
    }
  });

  /* One click, one action: the second press finds the button asleep. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-once]")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    setTimeout(() => {
      form.querySelectorAll("button[type=submit]").forEach((button) => {
        button.disabled = true;
        if (button.dataset.busy) button.textContent = button.dataset.busy;
      });
    }, 0);
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });

  /* The invoice's sum while it is typed, in whole kopecks; the server counts again. */
  const units = (text, digits) => {
    const match = /^(\d{1,8})(?:[.,](\d+))?$/.exec(text.replace(/[\s\u00a0]/g, ""));
    if (!match || (match[2] || "").length > digits) return null;
    return Number(match[1]) * 10 ** digits + Number((match[2] || "").padEnd(digits, "0") || 0);
  };
  const roubles = (kopecks) =>
    `${(kopecks / 100).toLocaleString("ru-RU", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}\u00a0₽`;
  const total = (form) => {
    if (!form || !form.matches("form[data-total]")) return;
    let sum = 0;
    let known = true;
    form.querySelectorAll("[data-line]").forEach((row) => {
      const price = row.querySelector("[name$='-price']").value;
      const quantity = row.querySelector("[name$='-quantity']").value;
      const cell = row.querySelector("[data-sum]");
      if (!price) {
        cell.textContent = "";
        return;
      }
      const [kopecks, thousandths] = [units(price, 2), units(quantity || "0", 3)];
      if (kopecks === null || thousandths === null) {
        known = false;
        cell.textContent = "?";
        return;
      }
      const line = Math.floor((kopecks * thousandths + 500) / 1000);
      cell.textContent = roubles(line);
      sum += line;
    });
    const discount = form.querySelector("[name=discount]");
    const off = discount && discount.value ? units(discount.value, 2) : 0;
    form.querySelector("[data-grand-total]").textContent = known && off !== null ? roubles(sum - off) : "—";
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-total]");
    if (form) total(form);
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("form[data-total]").forEach(total);
    /* The theme's icons are words to a screen reader. */
    document.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.setAttribute("aria-hidden", "true"));
  });

  /* A filter acts as soon as it is chosen. */
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select, input.day")) form.requestSubmit();
  });
})();
