// @ts-check
// The page's own signs: strokes on a grid of 24. They are decoration; the control that has one has a name in words.

import { classes, html } from "./html.js";

const PATHS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 20.5h4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  checks: "M2.5 12.5L7 17l8.5-9.500M11.5 16.500l.5.5L21.5 7.5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.500l3 1.8",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  device: "M4 5h16v11H4zM9 20h6M12 16v4",
  down: "M12 5v14M6 13l6 6 6-6",
  face: "M12 3.500a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM8.5 10v.5M15.5 10v.5M8 14.500c1.8 2.6 6.2 2.6 8 0",
  gear: "M4 7h8M18 7h2M4 17h2M12 17h8M15 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM9 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  group: "M9 11a3.2 3.2 0 1 0 0-6.400A3.2 3.2 0 0 0 9 11zM3 19.500c0-3.3 2.7-5.5 6-5.500s6 2.2 6 5.500M15.5 5.200a3 3 0 0 1 0 5.600M17 14.300c2.4.6 4 2.5 4 5.2",
  info: "M12 3.500a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 11v5.500M12 7.500v.6",
  key: "M8 12.500a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.600zM10.8 13.500L20 4.500M16 8.500l2.8 2.8",
  leave: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  link: "M10 14a4 4 0 0 0 5.7 0l3.2-3.200a4 4 0 0 0-5.7-5.700l-1.4 1.400M14 10a4 4 0 0 0-5.7 0l-3.2 3.200a4 4 0 0 0 5.7 5.700l1.4-1.4",
  pen: "M4 20l1-4.500L16.5 4l3.5 3.500L8.5 19z",
  person: "M12 11.500a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.400zM5 20c0-3.9 3.1-6.5 7-6.500s7 2.6 7 6.5",
  reload: "M19.5 12a7.5 7.5 0 1 1-2.2-5.300M19.5 3.500v4h-4",
  room: "M5 20V5l9-2v18zM14 5h5v15h-5M11 12v.6M3 20.500h18",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.500L20.5 20.5",
  send: "M4 12L20 4.5 15.5 20l-3.5-6.500zM12 13.500l8-9",
  shield: "M12 3.500l7.5 2.800v5.200c0 4.7-3.1 7.7-7.5 9.5-4.4-1.8-7.5-4.8-7.5-9.500V6.300zM8.5 12l2.5 2.5 4.5-4.7",
  warning: "M12 4L2.8 20h18.400zM12 10v4.500M12 17v.6",
};

/** @typedef {keyof typeof PATHS} IconName */

const TURNED = new Set(["back", "leave", "send"]);

/** @param {{name: IconName, size?: string}} props */
export function Icon({ name, size }) {
  return html`<svg class=${classes("icon", TURNED.has(name) && "turned", size)} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} />
  </svg>`;
}

/** The mark of Subrosa: a rose of five petals, seen from above, around a keyhole. */
export function Rose() {
  const petals = [0, 72, 144, 216, 288];
  return html`<svg class="rose" viewBox="0 0 48 48" aria-hidden="true" focusable="false">
    ${petals.map(
      (turn) => html`<path class="petal" transform=${`rotate(${turn} 24 24)`} d="M24 22C15 18 15 5 24 3.5 33 5 33 18 24 22z" />`,
    )}
    <circle class="heart" cx="24" cy="24" r="7.5" />
    <path class="keyhole" d="M24 20.300a2.3 2.3 0 0 1 1.2 4.260l.9 3.440h-4.200l.9-3.440A2.3 2.3 0 0 1 24 20.300z" />
  </svg>`;
}
