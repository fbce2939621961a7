// @ts-check
// A dialog over the page. The browser's own `dialog` keeps the focus inside, makes the page behind it inert, gives the
// focus back, and closes on Esc.

import { useId, useLayoutEffect, useRef } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { classes, html } from "./html.js";
import { IconButton } from "./controls.js";

/** @param {{title: any, children: any, onClose: () => void, class?: string, bare?: boolean}} props */
export function Dialog({ title, children, onClose, class: more, bare }) {
  const id = useId();
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  // Before the next key press comes, so that it goes into the dialog.
  useLayoutEffect(() => {
    const { current } = element;
    if (current && !current.open) current.showModal();
    /** @type {HTMLElement | null | undefined} */ (current?.querySelector("[data-first]") ?? current?.querySelector("h2"))?.focus();
    return () => current?.close();
  }, []);
  const press = (/** @type {MouseEvent} */ event) => {
    if (event.target === element.current) onClose();
  };
  return html`<dialog ref=${element} class=${classes("dialog", more)} aria-labelledby=${id} onMouseDown=${press}
    onClose=${() => {
      // The browser may close it without asking; what is shown follows.
      if (element.current?.isConnected) onClose();
    }}
    onCancel=${(/** @type {globalThis.Event} */ event) => {
      event.preventDefault();
      onClose();
    }}>
    <div class="dialog-body">
      <header class=${bare ? "unseen" : ""}>
        <h2 id=${id} tabindex="-1">${title}</h2>
        ${!bare && html`<${IconButton} icon="close" label=${t("close")} onClick=${onClose} />`}
      </header>
      ${children}
    </div>
  </dialog>`;
}
