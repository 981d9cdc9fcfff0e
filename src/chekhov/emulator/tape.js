const address = new URL(location.href);
address.searchParams.set("part", "1");
let shown = "";

async function refresh() {
  try {
    const answer = await fetch(address, { cache: "no-store" });
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === shown) return;
    const first = shown === "";
    shown = text;
    const known = new Set([...document.querySelectorAll("article")].map((strip) => strip.id));
    const next = new DOMParser().parseFromString(text, "text/html").getElementById("tape");
    if (!first) next.querySelectorAll("article").forEach((strip) => known.has(strip.id) || strip.classList.add("fresh"));
    document.getElementById("tape").replaceWith(document.importNode(next, true));
  } catch (error) {
    console.info("Эмулятор не отвечает", error);
  }
}

setInterval(() => document.hidden || refresh(), 2000);
