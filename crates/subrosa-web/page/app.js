// @ts-check
// The start of the page.

import { render } from "./vendor/preact.js";
import { html } from "./parts/html.js";
import { apply } from "./state/settings.js";
import { start } from "./state/session.js";
import { Shell } from "./views/shell.js";

apply();
start();
render(html`<${Shell} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
