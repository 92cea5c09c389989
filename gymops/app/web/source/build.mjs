// Builds the page: `npm ci && npm run build` writes ../static (or the folder named as the only argument).
// The result depends on nothing but the files here and package-lock.json: a test builds it again and compares.
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "..", "static"));
const modules = join(here, "node_modules");
const read = (...path) => readFileSync(join(...path), "utf8");

mkdirSync(out, { recursive: true });
await scripts();
styles();
alpine();
cpSync(join(here, "public"), out, { recursive: true });
page();

/** app.js, and theme.js, which runs before the first paint. */
async function scripts() {
  await build({
    absWorkingDir: here,
    entryPoints: { app: "js/main.js", theme: "js/theme.js" },
    outdir: out,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2020", "safari15"],
    charset: "utf8",
    logLevel: "warning",
  });
}

/** app.css: Tailwind with the classes the page uses. */
function styles() {
  const cli = join(modules, "@tailwindcss", "cli", "dist", "index.mjs");
  const options = ["--input", "app.css", "--output", join(out, "app.css"), "--minify"];
  execFileSync(process.execPath, [cli, ...options], { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
}

/** alpine.js as published, under its licence's text, which the package leaves out. */
function alpine() {
  const { version } = JSON.parse(read(modules, "@alpinejs", "csp", "package.json"));
  const notice = `/*! Alpine.js ${version} (@alpinejs/csp)\n\n${read(here, "licences", "alpine.txt").trim()}\n*/\n`;
  writeFileSync(join(out, "alpine.js"), notice + read(modules, "@alpinejs", "csp", "dist", "cdn.min.js"));
}

/** index.html from its parts; each script and style is named with its content's hash, so that a cache
 *  in between never serves one release's page with another's code. */
function page() {
  const include = (file) =>
    read(here, "html", file).replace(/^[ ]*<!-- include (\S+) -->\n/gm, (_, name) => include(name));
  const stamp = (file) => createHash("sha256").update(readFileSync(join(out, file))).digest("hex").slice(0, 10);
  const html = include("index.html").replace(/\{\{(\S+)\}\}/g, (_, file) => `${file}?v=${stamp(file)}`);
  writeFileSync(join(out, "index.html"), html.replace(/\s*\n\s*/g, "\n"));
}
