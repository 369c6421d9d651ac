// Fetches this page every two seconds and replaces its content in place; shows a notice when the monitor does not answer.
(() => {
  const main = document.getElementById("main");
  const fresh = document.getElementById("fresh");
  let shown = main.innerHTML;
  let lost = false;
  const busy = () => {
    const on = document.activeElement;
    const chosen = window.getSelection();
    return (on && main.contains(on) && on.matches("input, select")) || (chosen && String(chosen) !== "");
  };
  const refresh = async () => {
    if (document.hidden || busy()) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (next && next.innerHTML !== shown && !busy()) {
        const at = document.activeElement;
        const link = at && main.contains(at) ? at.getAttribute("href") : null;
        const picture = main.querySelector(".picture");
        const left = picture ? picture.scrollLeft : 0;
        const unfolded = [...main.querySelectorAll("details[open]")].map((d) => d.id);
        main.replaceChildren(...next.childNodes);
        shown = main.innerHTML;
        for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
        const moved = main.querySelector(".picture");
        if (moved) moved.scrollLeft = left;
        if (link) [...main.querySelectorAll("a")].find((a) => a.getAttribute("href") === link)?.focus({ preventScroll: true });
      }
      if (lost) fresh.textContent = "";
      lost = false;
      document.body.classList.remove("lost");
    } catch {
      if (!lost) fresh.textContent = "The monitor does not answer: this page is out of date.";
      lost = true;
      document.body.classList.add("lost");
    }
  };
  setInterval(refresh, 2000);
})();
