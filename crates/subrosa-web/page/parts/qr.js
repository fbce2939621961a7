// @ts-check
// A QR code, drawn from the rows that the client made. Dark on light in every theme: readers want it so.

import { t } from "../strings/index.js";
import { call } from "../state/wire.js";
import { Trouble, useReading } from "./controls.js";
import { html } from "./html.js";

const QUIET = 4;

/** @param {{text: string, label: string}} props */
export function Qr({ text, label }) {
  const code = useReading(() => call("qr", { text }), [text]);
  if (code.failed) return html`<${Trouble} text=${code.failed} />`;
  if (!code.value) return html`<div class="qr" aria-hidden="true"></div>`;
  const { size, rows } = code.value;
  const whole = size + 2 * QUIET;
  let path = "";
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g)) path += `M${(run.index ?? 0) + QUIET} ${y + QUIET}h${run[0].length}v1h-${run[0].length}z`;
  });
  return html`<svg class="qr" role="img" aria-label=${label || t("qr")} viewBox=${`0 0 ${whole} ${whole}`} shape-rendering="crispEdges">
    <rect width=${whole} height=${whole} class="qr-light" /><path d=${path} class="qr-dark" />
  </svg>`;
}
