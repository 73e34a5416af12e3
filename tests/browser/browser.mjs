// Drives Chromium: a request per line on standard input, an answer per line on standard output.
//
//   node browser.mjs CHROMIUM ADDRESS
//
// A request is {"play": {…}} for `examine` in player.html, or {"supports": "video/mp4; codecs=…"}.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, address] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  headless: true,
  chromiumSandbox: false, // tests may run as root
  args: [
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
  ],
});

async function answer(request) {
  const page = await browser.newPage();
  try {
    await page.goto(`${address}/player.html`);
    if (request.supports) return await page.evaluate((type) => document.createElement("video").canPlayType(type), request.supports);
    return await page.evaluate((what) => examine(what), request.play);
  } finally {
    await page.close();
  }
}

console.log(JSON.stringify({ answer: browser.version() }));
for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ answer: await answer(JSON.parse(line)) }));
  } catch (error) {
    console.log(JSON.stringify({ failure: String(error.message) }));
  }
}
await browser.close();
