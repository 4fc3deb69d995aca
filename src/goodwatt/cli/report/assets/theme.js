// Light or dark before the first paint: the system's choice until the reader makes one.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = window.localStorage.getItem("goodwatt-theme"); } catch { /* storage may be closed to files */ }
  const root = document.documentElement;
  const show = (theme) => {
    root.dataset.theme = theme;
    window.dispatchEvent(new Event("themechange"));
  };
  const system = () => (dark.matches ? "dark" : "light");
  root.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : system();
  dark.addEventListener("change", () => { if (!chosen) show(system()); });
  window.addEventListener("themechoice", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { window.localStorage.setItem("goodwatt-theme", chosen); } catch { /* then for this visit only */ }
    show(chosen);
  });
  // Paper is white.
  let before = null;
  window.addEventListener("beforeprint", () => { before = root.dataset.theme; show("light"); });
  window.addEventListener("afterprint", () => { show(before || system()); });
})();
