// @ts-check
// Keys: arrows that move in a list, and the shortcuts of the page.

/**
 * Up, down, home and end move the focus among the elements that match.
 * @param {string} selector
 * @returns {(event: KeyboardEvent) => void}
 */
export function arrows(selector) {
  return (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    const box = /** @type {HTMLElement} */ (event.currentTarget);
    const all = /** @type {HTMLElement[]} */ ([...box.querySelectorAll(selector)]);
    const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement?.closest(selector)));
    if (at < 0) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, at + step))]?.focus();
  };
}

/**
 * Whether keys are letters of a text now.
 * @param {globalThis.Event} event
 */
export function writing(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** Whether this machine has a Command key. */
export const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);
