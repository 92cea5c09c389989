// The Web Speech API, where the browser has it.

const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition ?? null;

export const canListen = () => Boolean(Recognition);
export const canSpeak = () => "speechSynthesis" in globalThis;

const TROUBLE = {
  "not-allowed": "The microphone is blocked. Allow it in the browser's settings, or type.",
  "service-not-allowed": "The browser does not offer speech here. Type instead.",
  "audio-capture": "No microphone found. Type instead.",
  network: "Speech needs a connection in this browser. Type instead.",
  "no-speech": "I heard nothing. Try again.",
};

/** Listens once. `heard(text, final)` gets the words so far, `ended(trouble)` null or a sentence to show. */
export function listen({ heard, ended }) {
  const recognition = new Recognition();
  let trouble = null;
  recognition.lang = navigator.language?.startsWith("en") ? navigator.language : "en-US";
  recognition.interimResults = true;
  recognition.maxAlternatives = 1;
  recognition.onresult = (event) => {
    const results = Array.from(event.results);
    const text = results.map((result) => result[0].transcript).join(" ").trim();
    heard(text, results.every((result) => result.isFinal));
  };
  recognition.onerror = ({ error }) => {
    trouble = error === "aborted" ? null : (TROUBLE[error] ?? "Listening failed. Type instead.");
  };
  recognition.onend = () => ended(trouble);
  recognition.start();
  return { stop: () => recognition.stop() };
}

export function speak(text) {
  if (!canSpeak() || !text) return;
  speechSynthesis.cancel();
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "en-US";
  speechSynthesis.speak(words);
}

export const hush = () => canSpeak() && speechSynthesis.cancel();
