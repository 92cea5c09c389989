// localStorage that never throws: private windows and full disks lose the memory, not the page.
const PREFIX = "gymops.";

export const store = {
  get(key, fallback = null) {
    try {
      const text = localStorage.getItem(PREFIX + key);
      return text === null ? fallback : JSON.parse(text);
    } catch {
      return fallback;
    }
  },

  set(key, value) {
    try {
      localStorage.setItem(PREFIX + key, JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  },
};
