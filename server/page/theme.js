"use strict";
// Before anything is drawn: the look that was chosen, or the system's.
(() => {
  let chosen = "";
  try { chosen = localStorage.getItem("mmrun.theme") || ""; } catch { /* storage is off: the system's */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
