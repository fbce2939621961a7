// The API of the page: what it may ask over `/rpc`, what it gets, and what it is told without asking.

export type Role = "beginner" | "advanced" | "admin" | "super-admin";
export type SendState = "queued" | "accepted" | "delivered";
export type Via = "server" | "direct";
export type DirectPolicy = "contacts" | "never" | "always";
export type Place = "latest" | "unread" | { before: string } | { after: string } | { around: string };

export interface WhoAmI { name: string; role: Role; server: string; device: string; }
export interface DeviceRow { id: string; name: string; this: boolean; enrolled_at: number; }
export interface SentRow { id: string; state: SendState; via: Via; }
export interface MessageRow {
  id: string; chat: string; conversation: string; from: string; own: boolean; text: string;
  sent_at: number; received_at: number; via: Via; verified: boolean; unread: boolean; pending: boolean; delivered: boolean;
}
export interface Preview { from: string; own: boolean; text: string; }
export interface ChatRow {
  chat: string; conversation: string; kind: "private" | "group" | "room"; unread: number; mentions: number;
  last: number | null; blocked: string | null; draft: string; preview: Preview | null;
}
export interface ChangedKeyRow { name: string; was_verified: boolean; }
export interface MemberRow { name: string; role: Role; verified: boolean; devices: number; }
export interface InviteRow { id: string; answer: string; kind: "group" | "request" | "role"; chat: string; from: string; }
export interface RoleRow { name: string; role: Role; }
export interface RoleLogRow { position: number; at: number; what: string; name: string; role: Role; by: string; }
export interface InviteLinkRow { code: string; uses_left: number; expires_at: number | null; }
export interface SafetyNumber { digits: string; words: string; uri: string; verified: boolean; changed: boolean; }
export interface Status { enrolled: boolean; online: boolean; reason: string; queued: number; dropped: number; }
export interface History { rows: MessageRow[]; older: boolean; newer: boolean; }
export interface Found { rows: MessageRow[]; more: boolean; }
export interface GroupReply { chat: string; title: string; }
export interface Reloaded { messages: number; invites: number; }
export interface Hello {
  v: number; version: string; profile: "none" | "logged_out" | "enrolled"; can_start_server: boolean;
}
export interface Overview {
  who: WhoAmI; status: Status; chats: ChatRow[]; invites: InviteRow[]; changed_keys: ChangedKeyRow[]; cursor: number;
}

type Nothing = Record<string, never>;
interface Method<P, R> { params: P; result: R; }

export interface Methods {
  hello: Method<Nothing, Hello>;
  start_server: Method<Nothing, { link: string }>;
  subscribe: Method<{ cursor?: number }, { cursor: number; missed: boolean }>;
  qr: Method<{ text: string }, { size: number; rows: string[] }>;
  sign_up: Method<{
    server: string; username: string; password: string; email: string | null; invite: string | null;
    setup: string | null; vault: boolean; device: string;
  }, WhoAmI>;
  log_in: Method<{
    server: string | null; username: string; password: string; device: string; danger_reset_key: boolean;
  }, WhoAmI>;
  log_out: Method<Nothing, null>;
  who_am_i: Method<Nothing, WhoAmI>;
  devices: Method<Nothing, DeviceRow[]>;
  revoke_device: Method<{ device: string }, null>;
  send: Method<{ to: string; text: string; id: string | null; wait: "accepted" | "delivered" }, SentRow>;
  overview: Method<Nothing, Overview>;
  history: Method<{ chat: string; place: Place; limit: number }, History>;
  search: Method<{ text: string; chat: string | null; before: string | null; limit: number }, Found>;
  set_draft: Method<{ chat: string; text: string }, null>;
  settings: Method<Nothing, Record<string, string>>;
  set_setting: Method<{ name: string; value: string | null }, null>;
  mark_read: Method<{ messages: string[] }, null>;
  changed_keys: Method<Nothing, ChangedKeyRow[]>;
  reload: Method<Nothing, Reloaded>;
  chats: Method<Nothing, ChatRow[]>;
  group_create: Method<{ title: string; members: string[] }, GroupReply>;
  group_add: Method<{ group: string; members: string[] }, GroupReply>;
  group_remove: Method<{ group: string; members: string[] }, GroupReply>;
  group_members: Method<{ group: string }, MemberRow[]>;
  group_leave: Method<{ group: string }, null>;
  group_rename: Method<{ group: string; title: string }, GroupReply>;
  invites: Method<Nothing, InviteRow[]>;
  accept: Method<{ id: string }, null>;
  decline: Method<{ id: string }, null>;
  role_list: Method<Nothing, RoleRow[]>;
  role_set: Method<{ name: string; role: Role }, { waits_for_acceptance: boolean }>;
  role_log: Method<Nothing, RoleLogRow[]>;
  invite_link_create: Method<{ uses: number; expires_in: number | null }, InviteLinkRow[]>;
  invite_link_list: Method<Nothing, InviteLinkRow[]>;
  invite_link_revoke: Method<{ code: string }, null>;
  verify: Method<{ name: string; confirm: boolean }, SafetyNumber>;
  compare: Method<{ name: string; uri: string }, SafetyNumber>;
  direct: Method<{ policy: DirectPolicy | null }, DirectPolicy>;
  follow: Method<Nothing, null>;
  status: Method<Nothing, Status>;
  room_enter: Method<{ room?: string; server?: string; port?: number; name?: string },
    { room: number; name_of_room: string; server: string }>;
  room_say: Method<{ room: number; text: string }, { number: number }>;
  room_names: Method<{ room: number }, { names: string[] }>;
  room_verify: Method<{ room: number }, { words: string; epoch: number; guests: number }>;
  room_leave: Method<{ room: number }, null>;
  direct_listen: Method<{
    transport?: "quic" | "tcp"; encryption?: "mls" | "rsa"; relay?: string; ticket_only?: boolean;
  }, { direct: number }>;
  direct_dial: Method<{ ticket: string; transport?: "quic" | "tcp"; encryption?: "mls" | "rsa" }, { direct: number }>;
  direct_say: Method<{ direct: number; text: string }, { number: number }>;
  direct_verify: Method<{ direct: number }, null>;
  direct_accept: Method<{ direct: number; number?: number }, null>;
  direct_decline: Method<{ direct: number; number?: number }, null>;
  direct_leave: Method<{ direct: number }, null>;
}

export type Event =
  | { event: "online" }
  | { event: "offline"; reason: string }
  | ({ event: "message" } & MessageRow)
  | ({ event: "invite" } & InviteRow)
  | { event: "delivered"; chat: string; conversation: string; id: string }
  | { event: "joined"; chat: string; name: string }
  | { event: "left"; chat: string; name: string }
  | { event: "renamed"; chat: string; title: string }
  | { event: "role_changed"; role: Role }
  | { event: "key_changed"; name: string; was_verified: boolean }
  | { event: "device_added"; name: string; device: string }
  | { event: "direct"; chat: string; up: boolean }
  | { event: "warning"; code: string; message: string }
  | { event: "logged_out"; reason: string };
