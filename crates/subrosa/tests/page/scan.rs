//! Looks through the document for anything that the page did not make itself.

use browser::Tab;
use serde_json::Value;

/// One line for each element, attribute or address that is not the page's own.
const FOREIGN: &str = r##"(() => {
    const own = new Set(("html head meta title link script body noscript div span p a ul ol li nav main aside header footer "
        + "section article h1 h2 h3 h4 button input textarea select option label fieldset legend form details summary dialog "
        + "svg g path circle rect line polyline polygon ellipse defs use table thead tbody tr th td caption dl dt dd kbd bdi time mark "
        + "figure figcaption em strong small code hr br output progress").split(" "));
    const found = [];
    const say = (element, why) => found.push(`${why}: ${element.outerHTML.slice(0, 160)}`);
    for (const element of document.querySelectorAll("*")) {
        const tag = element.localName;
        if (!own.has(tag)) say(element, "not the page's own");
        if (tag === "script" && new URL(element.src, location.href).origin !== location.origin) say(element, "a script");
        if (tag === "link" && new URL(element.href, location.href).origin !== location.origin) say(element, "a link");
        if (tag === "meta" && element.httpEquiv) say(element, "a header");
        for (const { name, value } of element.attributes) {
            if (name.startsWith("on")) say(element, "a handler");
            if (name === "style" && tag !== "html" && /url\(|expression/i.test(value)) say(element, "a style");
            if (["srcdoc", "formaction", "srcset", "ping", "xlink:href"].includes(name)) say(element, name);
            if (["href", "src", "action"].includes(name) && !/^(#|[a-z/]+[\w/.-]*\.(css|svg|js)$|https?:\/\/)/i.test(value)) say(element, name);
            if (name === "href" && tag === "a" && /^https?:/i.test(value)
                && !(element.target === "_blank" && element.rel.includes("noopener") && element.rel.includes("noreferrer"))) {
                say(element, "an address that learns of the page");
            }
        }
    }
    if (Object.prototype.polluted !== undefined) found.push("every object has a new property");
    return found;
})()"##;

/// The document has nothing foreign in it.
#[track_caller]
pub fn nothing_foreign(tab: &Tab, place: &str) {
    let found = tab.evaluate(FOREIGN);
    assert_eq!(found, Value::Array(Vec::new()), "{place}");
}
