// Replaces the content of this page in place when the server says that the board changed (/events), and shows a notice
// when the monitor does not answer. The page reads without it.
(() => {
  const LEAST_MS = 2000; // between two fetches
  const POLL_MS = 15000; // where there are no events
  const main = document.getElementById("main");
  const fresh = document.getElementById("fresh");
  let shown = main.innerHTML;
  let lost = false;
  let changed = false;
  let asked = 0;
  const busy = () => {
    const on = document.activeElement;
    const chosen = window.getSelection();
    return (on && main.contains(on) && on.matches("input, select")) || (chosen && String(chosen) !== "");
  };
  const replace = (next) => {
    const at = document.activeElement;
    const link = at && main.contains(at) ? at.getAttribute("href") : null;
    const moved = [...main.querySelectorAll(".picture")].map((picture) => picture.scrollLeft);
    const unfolded = [...main.querySelectorAll("details[open]")].map((d) => d.id).filter(Boolean);
    main.replaceChildren(...next.childNodes);
    shown = main.innerHTML;
    for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
    main.querySelectorAll(".picture").forEach((picture, n) => { picture.scrollLeft = moved[n] ?? 0; });
    if (link) [...main.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus({ preventScroll: true });
  };
  const refresh = async () => {
    if (document.hidden || busy()) return;
    changed = false;
    asked = Date.now();
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (next && next.innerHTML !== shown && !busy()) replace(next);
      lost = false;
      fresh.textContent = "";
      document.body.classList.remove("lost");
    } catch {
      if (!lost) fresh.textContent = fresh.dataset.lost;
      lost = changed = true;
      document.body.classList.add("lost");
    }
  };
  let events = null;
  const listen = () => {
    events = new EventSource("/events");
    events.onmessage = () => { changed = true; };
    events.onerror = () => { changed = true; }; // the fetch shows whether the monitor answers
  };
  listen();
  setInterval(() => {
    const age = Date.now() - asked;
    if (events.readyState === EventSource.CLOSED && age > POLL_MS) changed = true;
    if (changed && age > LEAST_MS) refresh();
  }, 500);
})();
