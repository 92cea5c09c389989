import { sha256 } from "./sha256.js";

const TIMEOUT_MS = 15_000;

/** What a request ended with when it did not succeed; `status` 0 is "no answer at all". */
export class ApiError extends Error {
  constructor(status, problem) {
    super(sentence(problem?.detail) || (status ? `The server answered ${status}.` : "No connection."));
    this.status = status;
    this.code = problem?.code ?? null;
  }

  /** Whether the app itself has refused, so that sending the same again is useless. What a proxy, a firewall
   *  or a gym's login page answers has no code and decides nothing. */
  get final() {
    const passing = [401, 408, 425, 429].includes(this.status) || this.status >= 500;
    return this.code !== null && !passing;
  }
}

/** `path` under /api; answers the parsed body, or null when there is none. */
export async function request(method, path, body) {
  const options = { method, headers: { accept: "application/json" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["content-type"] = "application/json";
    // CloudFront signs the request for the function behind it, but not the body: without this it is a 403.
    options.headers["x-amz-content-sha256"] = await sha256(options.body);
  }
  const { status, ok, text } = await fetched(`/api${path}`, options);
  const data = parsed(text);
  if (status === 401) dispatchEvent(new CustomEvent("gymops:signed-out"));
  if (!ok) throw new ApiError(status, data);
  if (data === undefined) throw new ApiError(0); // somebody else's page
  return data;
}

export const get = (path) => request("GET", path);

/** The answer, or `fallback` where the server has nothing under this address. */
export async function find(path, fallback = null) {
  try {
    return await get(path);
  } catch (error) {
    if (error.status === 404) return fallback;
    throw error;
  }
}

/** Every item of a list, page after page. */
export async function all(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(`${path}?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

async function fetched(url, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, { ...options, signal: stop.signal });
    return { status: response.status, ok: response.ok, text: await response.text() };
  } catch {
    throw new ApiError(0);
  } finally {
    clearTimeout(timer);
  }
}

/** The text's JSON, null for no text, undefined for anything else. */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return undefined;
  }
}

/** "a workout is in progress" -> "A workout is in progress." */
function sentence(text) {
  const plain = (text ?? "").trim();
  return plain && plain.charAt(0).toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
}
