// @ts-check
// Entering a room: no account is needed where the server lets guests in, and nothing is kept.

import { useState } from "../vendor/hooks.js";
import { t } from "../strings/index.js";
import { useCell } from "../state/cell.js";
import { me } from "../state/person.js";
import { go } from "../state/route.js";
import { Talk, addTalk, talks } from "../state/talks.js";
import { call } from "../state/wire.js";
import { Button, Field, Trouble, useAction } from "../parts/controls.js";
import { html } from "../parts/html.js";
import { Page } from "./page.js";
import { OpenTalks } from "./talk.js";

export function Rooms() {
  const who = useCell(me);
  const here = useCell(talks).filter((talk) => talk.kind === "room");
  const [room, setRoom] = useState("lobby");
  const [server, setServer] = useState(who?.server ?? "");
  const [name, setName] = useState("");
  const action = useAction();
  const enter = (/** @type {globalThis.Event} */ event) => {
    event.preventDefault();
    void action.run(async () => {
      const entered = await call("room_enter", {
        ...(room.trim() && { room: room.trim() }),
        ...(server.trim() && { server: server.trim() }),
        ...(name.trim() && { name: name.trim() }),
      });
      const talk = new Talk("room", entered.room, entered.name);
      talk.server = entered.server;
      if (entered.new_server) talk.tell("room_new_server");
      addTalk(talk);
      go({ page: "room", talk: talk.id });
    });
  };
  return html`<${Page} title=${t("rooms")} note=${t("rooms_note")}>
    <form class="box" onSubmit=${enter}>
      <${Field} label=${t("room_name")} hint=${t("room_name_hint")} value=${room} onInput=${setRoom} autocapitalize="none" spellcheck=${false} />
      <${Field} label=${t("room_server")} hint=${t("room_server_hint")} value=${server} onInput=${setServer} dir="ltr" autocapitalize="none" spellcheck=${false} />
      <${Field} label=${t("room_who")} hint=${t("room_who_hint")} value=${name} onInput=${setName} autocapitalize="none" autocomplete="off" spellcheck=${false} />
      <${Trouble} text=${action.failed} />
      <${Button} type="submit" tone="main" icon="room" busy=${action.busy}>${t("room_enter")}<//>
    </form>
    <${OpenTalks} here=${here} />
  <//>`;
}
