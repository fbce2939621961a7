// @ts-check
// An open chat: its head, an alarm if a key changed, the timeline, and where to write.

import { useEffect, useMemo, useState } from "../vendor/hooks.js";
import { rich, t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { changedKeys, chats, direct, invites, readChangedKeys, readChats } from "../state/chats.js";
import { draftOf, keepDraft, setDraft } from "../state/drafts.js";
import { membersOf } from "../state/members.js";
import { show } from "../state/overlay.js";
import { compared, people } from "../state/person.js";
import { details, go } from "../state/route.js";
import { LONGEST, say } from "../state/sending.js";
import { timelineOf } from "../state/timelines.js";
import { call } from "../state/wire.js";
import { Avatar } from "../parts/avatar.js";
import { Composer } from "../parts/composer.js";
import { Button, Explain, IconButton, Name, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Icon } from "../parts/icons.js";
import { line } from "../parts/safe.js";
import { FindInChat } from "./find.js";
import { Card } from "./requests.js";
import { TimelineView } from "./timeline.js";

/** @param {{target: string}} props */
export function ChatView({ target }) {
  const list = useCell(chats);
  const chat = list.find((row) => row.chat === target) ?? null;
  const timeline = useMemo(() => timelineOf(target), [target]);
  const [finding, setFinding] = useState(false);
  useEffect(() => {
    void timeline.open();
    setFinding(false);
    return () => {
      timeline.unreadFrom = null;
      timeline.marked = "";
      keepDraft(target);
    };
  }, [timeline, target]);
  const begun = chat !== null;
  useEffect(() => {
    if (begun && timeline.loading === "" && timeline.rows.length === 0 && timeline.waiting.length === 0) void timeline.open();
  }, [begun]);
  const group = target.startsWith("#");

  return html`<div class="chat" data-chat=${target}>
    <${Head} target=${target} group=${group} finding=${finding} onFind=${() => setFinding(!finding)} />
    ${finding && html`<${FindInChat} target=${target} timeline=${timeline} onClose=${() => setFinding(false)} />`}
    <${TimelineView} key=${target} timeline=${timeline} group=${group} label=${t("messages_in", { chat: line(target) })} />
    <${Foot} key=${`foot ${target}`} target=${target} chat=${chat} timeline=${timeline} group=${group} />
  </div>`;
}

/** @param {{target: string, group: boolean, finding: boolean, onFind: () => void}} props */
function Head({ target, group, finding, onFind }) {
  const open = useCell(details);
  const up = useCell(direct);
  const members = useCell(membersOf(target));
  const bare = target.slice(1);
  return html`<header class="head">
    <${IconButton} icon="back" label=${t("back_to_chats")} class="narrow-only" onClick=${() => go({ page: "home" })} />
    <${Avatar} name=${target} kind=${group ? "group" : "person"} />
    <div class="head-text">
      <h1 tabindex="-1"><${Name} text=${bare} /></h1>
      <p class="quiet">
        ${group
          ? members.rows && t("count_members", { count: members.rows.length })
          : up.has(target)
            ? html`<span class="good"><${Icon} name="link" />${t("direct_up")}</span>`
            : t("encrypted")}
      </p>
    </div>
    <div class="head-tools">
      <button type="button" class="icon-button" aria-label=${t("find_in_chat")} title=${t("find_in_chat")} aria-pressed=${finding ? "true" : "false"}
        onClick=${onFind}><${Icon} name="search" /></button>
      <button type="button" class="icon-button" data-opens-details aria-label=${t("details")} title=${t("details")} aria-pressed=${open ? "true" : "false"}
        onClick=${() => details.set(!open)}><${Icon} name="info" /></button>
    </div>
  </header>`;
}

/** @param {{target: string, chat: import("../api.js").ChatRow | null, timeline: import("../state/timelines.js").Timeline, group: boolean}} props */
function Foot({ target, chat, timeline, group }) {
  const [text, setText] = useState(draftOf(target));
  const everybody = useCell(people);
  const members = useCell(membersOf(target));
  const changed = useCell(changedKeys).find((row) => `@${row.name}` === target);
  const request = useCell(invites).find((row) => row.kind === "request" && row.chat === target);
  if (changed && !group) return html`<${Alarm} name=${changed.name} verified=${changed.was_verified} />`;
  if (request) return html`<div class="foot"><${Card} row=${request} /></div>`;
  if (group && !chat) return html`<div class="foot"><${Explain} text=${t("chat_gone")} /></div>`;
  if (chat?.blocked) return html`<div class="foot"><${Blocked} why=${chat.blocked} group=${group} members=${members.rows} /></div>`;
  const names = group ? (members.rows ?? []).map((row) => row.name) : everybody.map((row) => row.name);
  const write = (/** @type {string} */ next) => {
    setText(next);
    setDraft(target, next);
  };
  return html`<div class="foot">
    <${Composer} text=${text} onText=${write} names=${names} longest=${LONGEST} place=${target}
      label=${t("write_to", { chat: line(target) })} onLeave=${() => keepDraft(target)}
      onSend=${(/** @type {string} */ whole) => {
        write("");
        keepDraft(target);
        void say(timeline, whole);
      }} />
  </div>`;
}

/** @param {{why: string, group: boolean, members: import("../api.js").MemberRow[] | null}} props */
function Blocked({ why, group, members }) {
  const changed = useCell(changedKeys);
  const here = group ? changed.filter((row) => members?.some((member) => member.name === row.name)) : [];
  if (here.length > 0) return here.map((row) => html`<${Alarm} key=${row.name} name=${row.name} verified=${row.was_verified} />`);
  return html`<${Explain} text=${rich("blocked", { why: html`<bdi>${line(why)}</bdi>` })} />`;
}

/**
 * Nothing is sent to somebody whose key changed until the reader decided.
 * @param {{name: string, verified: boolean}} props
 */
function Alarm({ name, verified }) {
  const action = useAction();
  const accept = () =>
    action.run(async () => {
      await call("accept", { id: `@${name}` });
      await Promise.all([readChangedKeys(), readChats()]);
      compared.update((count) => count + 1);
    });
  return html`<section class=${verified ? "alarm grave" : "alarm"} aria-label=${t("key_changed_title")}>
    <${Icon} name="warning" />
    <div>
      <h2>${rich(verified ? "key_changed_grave" : "key_changed_head", { name: html`<${Name} text=${name} />` })}</h2>
      <p>${t("key_changed_why")}</p>
      <p>${t("key_changed_do")}</p>
      <${Trouble} text=${action.failed} />
      <div class="acts">
        <${Button} tone="main" icon="shield" onClick=${() => show({ kind: "verify", name })}>${t("compare_now")}<//>
        <${Button} busy=${action.busy} onClick=${accept}>${t("accept_unseen")}<//>
      </div>
    </div>
  </section>`;
}
