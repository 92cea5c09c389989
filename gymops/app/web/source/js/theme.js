// Runs in the head, before the first paint: the chosen theme, or the system's.
import { store } from "./storage.js";

const system = matchMedia("(prefers-color-scheme: dark)");

function paint() {
  const choice = store.get("theme", "system");
  const theme = choice === "system" ? (system.matches ? "dark" : "light") : choice;
  document.documentElement.dataset.theme = theme;
  document.querySelector('meta[name="theme-color"]').content = theme === "dark" ? "#0e1214" : "#f5f5f2";
}

system.addEventListener("change", paint);
addEventListener("gymops:theme", paint);
paint();
