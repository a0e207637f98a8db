// Sets what was chosen about looks before the first paint, so that a dark page never flashes white. It is a file of
// its own, and blocking, because the content security policy forbids inline scripts.
// The same keys and words stand in src/shared/preferences.ts.
(() => {
  const root = document.documentElement;
  let theme = "system";
  let density = "comfortable";
  let times = "relative";
  try {
    theme = localStorage.getItem("shipboard.theme") ?? theme;
    density = localStorage.getItem("shipboard.density") ?? density;
    times = localStorage.getItem("shipboard.times") ?? times;
  } catch {
    // Storage may be forbidden; then the system's choice stands.
  }
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  root.dataset.density = density === "compact" ? "compact" : "comfortable";
  root.dataset.times = times === "exact" ? "exact" : "relative";
})();
