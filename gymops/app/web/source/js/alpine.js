// Alpine is a file of its own beside app.js and starts after it; this is the one it leaves on the window.
export default new Proxy({}, { get: (_, name) => globalThis.Alpine[name] });
