// Draws the page, top to bottom.
function watchTheme() {
  const button = document.getElementById("theme");
  const name = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => window.dispatchEvent(new Event("themechoice")));
  window.addEventListener("themechange", name);
  name();
}

/** Paper shows what a closed fold hides, but not the long table of runs. */
function watchPrinting() {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("#origin details:not([open])")].filter((fold) => !fold.querySelector("table"));
    opened.forEach((fold) => { fold.open = true; });
  });
  window.addEventListener("afterprint", () => opened.forEach((fold) => { fold.open = false; }));
}

watchTheme();
watchPrinting();
const tellsOfJobs = !SERVICE_NAMES.length || REPORT.runs.some((run) => run.groups.jobs.length > 0);
if (!tellsOfJobs) {
  for (const id of ["selection", "distributions", "breakdown"]) document.getElementById(id).hidden = true;
}
drawFilters();
drawKeyNumbers();
drawComparison();
drawFront();
drawDivisions();
if (tellsOfJobs) drawDistributions();
drawServices();
drawOverTime();
drawGantt();
if (tellsOfJobs) drawBreakdown();
drawOrigin();
document.documentElement.dataset.ready = "true";
