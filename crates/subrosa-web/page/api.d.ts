// Made from the Rust types of subrosa-client; a test fails when it is stale. UPDATE_GOLDEN=1 makes it anew.

/** A contact whose key changed, and is not accepted yet. */
export type ChangedKeyRow = {
  /** Name. */
  name: string;
  /** Whether the old key had been compared: then this is an alarm. */
  was_verified: boolean;
};

/** Kind of conversation. */
export type ChatKind = ("private" | "group" | "room");

/** A line in the list of chats. */
export type ChatRow = {
  /** Why nothing can be sent here, if so (left, removed, key changed, blocked by a bad commit). */
  blocked: (string | null);
  /** `@name` or `#title`. */
  chat: string;
  /** Which conversation. */
  conversation: ConversationId;
  /** What is being written here on this device; empty: nothing. */
  draft: string;
  /** Its kind. */
  kind: ChatKind;
  /** When the last message came. */
  last: (Timestamp | null);
  /** Unread messages that name this account with an `@`. */
  mentions: number;
  /** The beginning of the last message. */
  preview: (Preview | null);
  /** Messages not read yet. */
  unread: number;
};

export type ConversationId = string;

export type DeviceId = string;

/** A device of the own account. */
export type DeviceRow = {
  /** When it was enrolled. */
  enrolled_at: Timestamp;
  /** Its id. */
  id: DeviceId;
  /** Its name. */
  name: string;
  /** Whether it is this one. */
  this: boolean;
};

/** A notification about a direct chat. */
export type DirectNote = ({
  event: "ticket";
  /** It. */
  ticket: string;
} | {
  event: "note";
  /** A sentence. */
  text: string;
} | {
  /** Whether this is not the first link. */
  again: boolean;
  /** The same as digits. */
  digits: string;
  /** With what it is encrypted. */
  encryption: string;
  event: "joined";
  /** `direct` or `relay`. */
  via: string;
  /** Whether a ticket vouches for the other side. If not, compare the words. */
  vouched: boolean;
  /** What both sides see if nobody stands in between. */
  words: string;
} | {
  event: "path";
  /** `direct` or `relay`. */
  via: string;
} | {
  event: "broken";
  /** Why. */
  message: string;
  /** What is not delivered yet, and kept. */
  waiting: number;
} | {
  /** In so many milliseconds. */
  after_ms: number;
  event: "retrying";
  /** Why. */
  message: string;
} | {
  event: "turned_away";
  /** Why. */
  message: string;
} | {
  event: "message";
  /** Its number among those of its sender. */
  number: number;
  /** When its sender says it was sent. */
  sent_at: Timestamp;
  /** The text. */
  text: string;
  /** `direct` or `relay`. */
  via: string;
} | {
  event: "delivered";
  /** The number of the last one. */
  number: number;
} | {
  /** Stable word. */
  code: string;
  event: "error";
  /** A sentence. */
  message: string;
} | {
  /** `sending` or `receiving`. */
  direction: string;
  event: "file_offered";
  /** Its name. */
  name: string;
  /** Its number among those of its sender. */
  number: number;
  /** Bytes. */
  size: number;
} | {
  /** `sending` or `receiving`. */
  direction: string;
  /** Bytes. */
  done: number;
  event: "file_progress";
  /** Its number. */
  number: number;
  /** Bytes of all of it. */
  size: number;
} | {
  /** `sending` or `receiving`. */
  direction: string;
  event: "file_ended";
  /** Its name. */
  name: string;
  /** Its number. */
  number: number;
  /** Stable word: how. */
  outcome: string;
  /** Where it lies, if it was received. */
  path: (string | null);
} | {
  /** The same as digits. */
  digits: (string | null);
  event: "verify";
  /** Whether a ticket vouches for the other side already. */
  vouched: boolean;
  /** Words. */
  words: (string | null);
} | {
  event: "left";
} | {
  event: "ended";
  /** Why; null: one of the two left. */
  failure: (Failure | null);
}) & {
  /** Which. */
  direct: number;
};

/** A direct chat. */
export type DirectOpened = {
  /** Its number in this session. */
  direct: number;
};

/** When this account makes direct links. */
export type DirectPolicy = ("contacts" | "never" | "always");

/** A room that is being entered. */
export type Entered = {
  /** Its name. */
  name: string;
  /** The server's key was never seen before; it is remembered from now on. */
  new_server: boolean;
  /** Its number in this session. */
  room: number;
  /** The server's link. */
  server: string;
};

/** A refusal or failure. */
export type Failure = {
  /** Class. */
  code: FailureCode;
  /** Whether what was asked for is kept on this device, and done as soon as it can be. */
  kept: boolean;
  /** Stable word for scripts, like `not_a_member`. */
  kind: string;
  /** One sentence for people: what happened and what to do next. */
  message: string;
};

/** Class of a failure; decides the exit code. */
export type FailureCode = ("usage" | "unexpected" | "environment" | "untrusted" | "rate_limited" | "policy");

/** What a search found. */
export type Found = {
  /** Whether there may be more before the last one. */
  more: boolean;
  /** Newest first. */
  rows: Array<MessageRow>;
};

/** What a group is called: 1 to [`limits::GROUP_TITLE`] bytes; does not begin with `#` or `@`. */
export type GroupTitle = string;

/** Somebody in a room. */
export type GuestRow = {
  /** Whether they entered with an account of the server. */
  member: boolean;
  /** The name. */
  name: string;
};

/** What is there. */
export type Hello = {
  /** Whether `start_server` can be asked for. */
  can_start_server: boolean;
  /** Whether there is an account. */
  profile: ProfileState;
  /** Version of the protocol. */
  v: number;
  /** Version of the program. */
  version: string;
};

/** A part of a chat. */
export type History = {
  /** Whether there are newer ones. */
  newer: boolean;
  /** Whether there are older ones. */
  older: boolean;
  /** Oldest first; own messages that are not accepted yet stand at the end. */
  rows: Array<MessageRow>;
};

export type IdempotencyKey = string;

/** Kind of open invitation. */
export type InviteKind = ("group" | "request" | "role");

/** A sign-up invitation. */
export type InviteLinkRow = {
  /** The code for `signup --invite`. */
  code: string;
  /** Until when. */
  expires_at: (Timestamp | null);
  /** How many accounts it is still good for. */
  uses_left: number;
};

/** An open invitation. */
export type InviteRow = {
  /** The shortest that accept and decline understand: the chat's name, or the id if there are several of that name. */
  answer: string;
  /** `@name` or `#title`. */
  chat: string;
  /** Who invites. */
  from: string;
  /** For accept and decline. */
  id: string;
  /** Its kind. */
  kind: InviteKind;
};

/** Whose key it is. */
export type KeyOwner = ("account" | "device");

/** An Ed25519 key, for an export. */
export type KeyRow = {
  /** Its id. */
  id: string;
  /** The account's name. */
  name: string;
  /** Whose it is. */
  owner: KeyOwner;
  /** The public key: SubjectPublicKeyInfo in PEM. */
  public: string;
};

/** A member of a group. */
export type MemberRow = {
  /** Devices in the group. */
  devices: number;
  /** Name. */
  name: string;
  /** Role on the server. */
  role: Role;
  /** Whether the key was compared. */
  verified: boolean;
};

export type MessageId = string;

/** A message as people see it. Text is as it was sent: an interactor must make it safe for its own screen. */
export type MessageRow = {
  /** `@name` or `#title`. */
  chat: string;
  /** Which conversation. */
  conversation: ConversationId;
  /** For own messages of private chats: a device of the other side said that it has it. */
  delivered: boolean;
  /** The sender's name. */
  from: string;
  /** The same on all devices. */
  id: MessageId;
  /** Whether it was sent by this account. */
  own: boolean;
  /** For own messages still in the outbox: not accepted yet. */
  pending: boolean;
  /** When the server accepted it. */
  received_at: Timestamp;
  /** When the sender says it was sent. */
  sent_at: Timestamp;
  /** The text. */
  text: string;
  /** Whether it is not marked as read yet. */
  unread: boolean;
  /** Whether the sender's key was compared. */
  verified: boolean;
  /** By which road it came. */
  via: Via;
};

/** The profile's own server. */
export type Opened = {
  /** Its link. */
  link: string;
};

/** What a face shows first. */
export type Overview = {
  /** Contacts whose changed key is not accepted yet. */
  changed_keys: Array<ChangedKeyRow>;
  /** The chats, the latest first. */
  chats: Array<ChatRow>;
  /** What happened up to here is in this answer. */
  cursor: number;
  /** Open invitations. */
  invites: Array<InviteRow>;
  /** How the engine stands. */
  status: Status;
  /** Who. */
  who: WhoAmI;
};

/** What happened behind a cursor. */
export type PastEvents = {
  /** The cursor behind all of them. */
  cursor: number;
  /** Oldest first. */
  events: Array<Told>;
  /** Whether some behind the cursor asked for are not kept any more: read again. */
  missed: boolean;
  /** Whether there are more behind `cursor`. */
  more: boolean;
};

/** Which part of a chat is wanted. */
export type Place = ("latest" | "unread" | {
  before: MessageId;
} | {
  after: MessageId;
} | {
  around: MessageId;
});

/** The beginning of a message. */
export type Preview = {
  /** Who said it. */
  from: string;
  /** Whether that is this account. */
  own: boolean;
  /** At most 200 characters, as they were sent. */
  text: string;
};

/** Whether the profile has an account. */
export type ProfileState = ("none" | "logged_out" | "enrolled");

/** A QR code without the light border that scanners want. */
export type QrCode = {
  /** One text a row: `1` is dark. */
  rows: Array<string>;
  /** Modules a side. */
  size: number;
};

/** What an account is on its server, lowest first; the order is the rank. */
export type Role = ("beginner" | "advanced" | "admin" | "super-admin");

/** An entry of the audit log. */
export type RoleLogRow = {
  /** When. */
  at: Timestamp;
  /** Who did it; empty when nobody did. */
  by: string;
  /** Whose role. */
  name: string;
  /** Position in the log. */
  position: number;
  /** The role since then. */
  role: Role;
  /** What happened: `joined`, `set`, `handed_over`, `new_key`. */
  what: string;
};

/** An account and its role. */
export type RoleRow = {
  /** Name. */
  name: string;
  /** Role. */
  role: Role;
};

/** A notification about a room. */
export type RoomTold = ({
  event: "admitted";
  /** Us. */
  me: GuestRow;
} | {
  event: "inside";
  /** Everybody else. */
  others: Array<GuestRow>;
} | {
  /** When. */
  at: Timestamp;
  event: "joined";
  /** Who. */
  guest: GuestRow;
} | {
  /** When. */
  at: Timestamp;
  event: "left";
  /** Who. */
  guest: GuestRow;
} | {
  /** When. */
  at: Timestamp;
  event: "message";
  /** Who. */
  from: GuestRow;
  /** What. */
  text: string;
} | {
  /** When. */
  at: Timestamp;
  event: "sent";
  /** Its number. */
  number: number;
} | {
  event: "refused";
  /** Why. */
  failure: Failure;
  /** Its number. */
  number: number;
} | {
  event: "uncertain";
  /** Its number. */
  number: number;
} | {
  event: "dropped";
  /** How many so far. */
  total: number;
} | {
  /** In so many milliseconds. */
  again_in: number;
  event: "lost";
  /** Why. */
  reason: string;
} | {
  event: "ended";
  /** Why; null: we left. */
  failure: (Failure | null);
}) & {
  /** Which. */
  room: number;
};

/** Something is on its way into a room. */
export type Said = {
  /** Its number: `sent` events name it. */
  number: number;
};

/** A password on its way into the engine, or a private key on its way out of it. Never shown by `Debug`; wiped when
 * dropped. */
export type Secret = string;

/** How far a sent message came. */
export type SendState = ("queued" | "accepted" | "delivered");

/** What `send` returns. */
export type SentRow = {
  /** The outbox id (the one given, if one was). */
  id: IdempotencyKey;
  /** How far it came. */
  state: SendState;
  /** By which road. */
  via: Via;
};

/** How the engine stands. */
export type Status = {
  /** Messages that were dropped because they did not verify. */
  dropped: number;
  /** Whether the profile has an account. */
  enrolled: boolean;
  /** Whether the server is reached and this device logged in. */
  online: boolean;
  /** Intents in the outbox. */
  queued: number;
  /** Why the server is not reached, if that is known: half a sentence for people. */
  reason: string;
};

/** Events are told from now on. */
export type Subscribed = {
  /** The events told next are behind this cursor; null: of now. */
  cursor: (number | null);
  /** Some behind the cursor are not kept any more: read again. */
  missed: boolean;
};

/** Whom or what a command is about: `@name` or `#group`, and so it serialises. */
export type Target = string;

/** Milliseconds since 1970-01-01T00:00:00Z, as the wire and the stores carry them. */
export type Timestamp = number;

/** Something that happened, as who watches is told of it. */
export type Told = ({
  event: "online";
} | {
  event: "offline";
  /** Why, for people: half a sentence, as "the server was stopped". */
  reason: string;
} | MessageRow & {
  event: "message";
} | {
  /** The chat. */
  chat: string;
  /** Which conversation. */
  conversation: ConversationId;
  event: "delivered";
  /** The message. */
  id: MessageId;
} | InviteRow & {
  event: "invite";
} | {
  /** The chat. */
  chat: string;
  event: "joined";
  /** Who. */
  name: string;
} | {
  /** The chat. */
  chat: string;
  event: "left";
  /** Who. */
  name: string;
} | {
  /** The chat as it was called. */
  chat: string;
  event: "renamed";
  /** The title now. */
  title: string;
} | {
  event: "role_changed";
  /** Now. */
  role: Role;
} | {
  event: "key_changed";
  /** Whose. */
  name: string;
  /** Whether the old key had been compared: then this is an alarm. */
  was_verified: boolean;
} | {
  /** The device's name. */
  device: string;
  event: "device_added";
  /** Whose. */
  name: string;
} | {
  /** The chat. */
  chat: string;
  event: "direct";
  /** Whether it is there now. */
  up: boolean;
} | {
  /** Stable word. */
  code: string;
  event: "warning";
  /** For people. */
  message: string;
} | {
  event: "logged_out";
  /** For people. */
  reason: string;
}) & {
  /** Its place among what is kept: larger ones came later. `None`: it is not kept, as it is only of this moment. */
  cursor?: (number | null);
};

/** How frames of a direct chat travel. */
export type TransportWord = ("quic" | "tcp");

/** What an account is called on its server: 1 to [`limits::USERNAME`] bytes. */
export type Username = string;

/** Which road a message took. */
export type Via = ("server" | "direct");

/** How long `send` waits. */
export type Wait = ("accepted" | "delivered");

/** Who a profile is. */
export type WhoAmI = {
  /** This device. */
  device: DeviceId;
  /** Username. */
  name: string;
  /** Role, as far as this device knows. */
  role: Role;
  /** Server link. */
  server: string;
};

/** Words to compare. */
export type Words = {
  /** Changes whenever somebody comes or goes, and the words with it. */
  epoch: number;
  /** How many are in. */
  guests: number;
  /** Twelve words; the same for all who are in. */
  words: string;
};

/** What can be asked: parameters and result of each method. */
export interface Methods {
  /** Make an account on a server, with this profile as its first device. */
  sign_up: { params: {
    /** Name of this device. */
    device?: string;
    /** Optional, never shown to other users. */
    email?: (string | null);
    /** Sign-up invitation. */
    invite?: (string | null);
    /** The password; it never leaves the engine. */
    password: Secret;
    /** The server's link. */
    server: string;
    /** The code that a server on a public address prints for its first account. */
    setup?: (string | null);
    /** Wanted name. */
    username: string;
    /** Whether the sealed account key is left at the server for further devices. */
    vault?: boolean;
  }; result: WhoAmI };
  /** Enrol this profile as a further device; on an enrolled profile, check the password and connect. */
  log_in: { params: {
    /** Start over with a new account key when the old one is lost (ends all other devices). */
    danger_reset_key?: boolean;
    /** Name of this device. */
    device?: string;
    /** The password. */
    password: Secret;
    /** The server's link; may be left out on an enrolled profile. */
    server?: (string | null);
    /** The account's name. */
    username: string;
  }; result: WhoAmI };
  /** End this device: it leaves the account's device list and every conversation. */
  log_out: { params: {}; result: null };
  /** Who this profile is. */
  who_am_i: { params: {}; result: WhoAmI };
  /** The account's devices. */
  devices: { params: {}; result: Array<DeviceRow> };
  /** End another device of this account. */
  revoke_device: { params: {
    /** Which. */
    device: DeviceId;
  }; result: null };
  /** Send a text. */
  send: { params: {
    /** Makes a repeat harmless. */
    id?: (IdempotencyKey | null);
    /** What, at most [`subrosa_types::limits::TEXT`] bytes. */
    text: string;
    /** To whom. */
    to: Target;
    /** When the reply comes. */
    wait?: Wait;
  }; result: SentRow };
  /** Messages of one chat or all, oldest first. Marks nothing as read: what was not shown must come again. */
  read: { params: {
    /** Not only unread ones. */
    all?: boolean;
    /** One chat, or all. */
    chat?: (Target | null);
    /** At most so many, the latest ones. */
    limit?: (number | null);
    /** Only those after this one. */
    since?: (MessageId | null);
  }; result: Array<MessageRow> };
  /** A part of one chat, oldest first, read or not. Answered from the store, at once; the cost does not depend on how long
   * the chat is. */
  history: { params: {
    /** The chat. */
    chat: Target;
    /** At most so many messages; at most [`HISTORY`]. */
    limit: number;
    /** Which part. */
    place: Place;
  }; result: History };
  /** Messages with all of these words in them (or the beginning of longer ones), newest first; large and small letters are
   * the same. Answered from the store, at once. */
  search: { params: {
    /** Only those before this message: the last one that was found, to go on. */
    before?: (MessageId | null);
    /** In one chat, or in all. */
    chat?: (Target | null);
    /** At most so many messages; at most [`HISTORY`]. */
    limit: number;
    /** The words. */
    text: string;
  }; result: Found };
  /** Everything that a face shows first: who, how it stands, chats, invitations, changed keys. Answered from the store, at
   * once, whether the server is reached or not. */
  overview: { params: {}; result: Overview };
  /** Keep what is being written in a chat; empty: nothing is. Only on this device. */
  set_draft: { params: {
    /** The chat; it has to be there. */
    chat: Target;
    /** At most [`subrosa_types::limits::TEXT`] bytes. */
    text: string;
  }; result: null };
  /** What faces keep on this device, as language and colours. */
  settings: { params: {}; result: Record<string, string> };
  /** Keep, or forget, a setting on this device. */
  set_setting: { params: {
    /** Its name: 1 to [`SETTING_NAME`] bytes. */
    name: string;
    /** At most [`SETTING_VALUE`] bytes; `None` forgets it. */
    value?: (string | null);
  }; result: null };
  /** What happened behind a cursor, oldest first. */
  events_since: { params: {
    /** The cursor of the last event that is known. */
    cursor: number;
    /** At most so many events; at most [`HISTORY`]. */
    limit: number;
  }; result: PastEvents };
  /** Mark messages as read that an interactor has shown. */
  mark_read: { params: {
    /** The messages shown. */
    messages: Array<MessageId>;
  }; result: null };
  /** Contacts whose changed key is not accepted yet, as this device knows them; answered at once. */
  changed_keys: { params: {}; result: Array<ChangedKeyRow> };
  /** Bring everything up to date with the server. */
  reload: { params: {}; result: {
    /** New invitations. */
    invites: number;
    /** New messages. */
    messages: number;
  } };
  /** The chats. */
  chats: { params: {}; result: Array<ChatRow> };
  /** Make a group. */
  group_create: { params: {
    /** The first members, besides the creator. */
    members: Array<Username>;
    /** Its title. */
    title: GroupTitle;
  }; result: {
    /** The group. */
    chat: ConversationId;
    /** Its title. */
    title: string;
  } };
  /** Add people to a group. */
  group_add: { params: {
    /** Which group. */
    group: Target;
    /** Whom. */
    members: Array<Username>;
  }; result: {
    /** The group. */
    chat: ConversationId;
    /** Its title. */
    title: string;
  } };
  /** Remove people from a group. */
  group_remove: { params: {
    /** Which group. */
    group: Target;
    /** Whom. */
    members: Array<Username>;
  }; result: {
    /** The group. */
    chat: ConversationId;
    /** Its title. */
    title: string;
  } };
  /** The members of a group. */
  group_members: { params: {
    /** Which group. */
    group: Target;
  }; result: Array<MemberRow> };
  /** Leave a group. */
  group_leave: { params: {
    /** Which group. */
    group: Target;
  }; result: null };
  /** Give a group another title. */
  group_rename: { params: {
    /** Which group. */
    group: Target;
    /** The new title. */
    title: GroupTitle;
  }; result: {
    /** The group. */
    chat: ConversationId;
    /** Its title. */
    title: string;
  } };
  /** Open invitations to groups, and first messages from strangers. */
  invites: { params: {}; result: Array<InviteRow> };
  /** Accept an invitation or request, an offered role, or (by `@name`) somebody's changed key. */
  accept: { params: {
    /** Id from `invites`, `@name` or `#group`. */
    id: string;
  }; result: null };
  /** Decline an invitation or request. */
  decline: { params: {
    /** Id from `invites`, `@name` or `#group`. */
    id: string;
  }; result: null };
  /** Names and roles. */
  role_list: { params: {}; result: Array<RoleRow> };
  /** Change a role, or offer the super admin role. */
  role_set: { params: {
    /** Whose. */
    name: Username;
    /** What they become. */
    role: Role;
  }; result: {
    /** Whether the other side has to accept first. */
    waits_for_acceptance: boolean;
  } };
  /** The audit log of role changes, for who may read it. */
  role_log: { params: {}; result: Array<RoleLogRow> };
  /** Make a sign-up invitation. */
  invite_link_create: { params: {
    /** For how many seconds it is good; `None`: until used up or revoked. */
    expires_in?: (number | null);
    /** How many accounts may use it. */
    uses?: number;
  }; result: Array<InviteLinkRow> };
  /** The sign-up invitations. */
  invite_link_list: { params: {}; result: Array<InviteLinkRow> };
  /** End a sign-up invitation. */
  invite_link_revoke: { params: {
    /** Its code. */
    code: string;
  }; result: null };
  /** The safety number with somebody. */
  verify: { params: {
    /** Mark it as compared (and accept a changed key). */
    confirm?: boolean;
    /** With whom. */
    name: Username;
  }; result: {
    /** Whether the key changed since it was last accepted. */
    changed: boolean;
    /** 60 digits in groups of five. */
    digits: string;
    /** For a QR code. */
    uri: string;
    /** Whether it is marked as compared. */
    verified: boolean;
    /** 18 words. */
    words: string;
  } };
  /** Compares the safety number with what the other side shows, and marks it as compared if it is the same. */
  compare: { params: {
    /** With whom. */
    name: Username;
    /** The URI in the other side's QR code. */
    uri: string;
  }; result: {
    /** Whether the key changed since it was last accepted. */
    changed: boolean;
    /** 60 digits in groups of five. */
    digits: string;
    /** For a QR code. */
    uri: string;
    /** Whether it is marked as compared. */
    verified: boolean;
    /** 18 words. */
    words: string;
  } };
  /** The account's and this device's keys. Private ones never leave the process of the engine. */
  export_keys: { params: {
    /** The private keys, too. */
    danger_private?: boolean;
  }; result: Array<KeyRow> };
  /** When this account makes direct links, and how it is from now on. */
  direct: { params: {
    /** The new policy; `None` only asks. */
    policy?: (DirectPolicy | null);
  }; result: DirectPolicy };
  /** Somebody follows this profile from now on: direct links are worth making. Answered at once. */
  follow: { params: {}; result: null };
  /** What lets one guest into a room of the server under this account's name; good once, for a minute. */
  room_pass: { params: {}; result: Secret };
  /** How the engine stands. */
  status: { params: {}; result: Status };
  /** What is there: the first question of a face. Works before there is a profile. */
  hello: { params: {}; result: Hello };
  /** Starts the server of this profile in this process, as `subrosa up` does; or tells its link if it runs. */
  start_server: { params: {}; result: Opened };
  /** Events from now on, and first those behind a cursor. */
  subscribe: { params: {
    /** The cursor of the last event that the program has taken in; none: from now on. */
    cursor?: (number | null);
  }; result: Subscribed };
  /** The QR code of a text in which large and small letters mean the same. */
  qr: { params: {
    /** The text. */
    text: string;
  }; result: QrCode };
  /** Enters a room. What happens there comes as `room` notifications. */
  room_enter: { params: {
    /** The name in the room; none: that of the account on this server, else a random one. */
    name?: (string | null);
    /** The port, if the server is a host; none: 5535. */
    port?: (number | null);
    /** Its name; none: `lobby`. */
    room?: (string | null);
    /** The server's link or its host; none: the account's server, or this machine. */
    server?: (string | null);
  }; result: Entered };
  /** Says something in a room. */
  room_say: { params: {
    /** Which. */
    room: number;
    /** What. */
    text: string;
  }; result: Said };
  /** Who is in a room. */
  room_names: { params: {
    /** Which. */
    room: number;
  }; result: (Array<GuestRow> | null) };
  /** Words that all in the room can compare. */
  room_verify: { params: {
    /** Which. */
    room: number;
  }; result: (Words | null) };
  /** Leaves a room. */
  room_leave: { params: {
    /** Which. */
    room: number;
  }; result: null };
  /** Waits for somebody, without accounts. What happens comes as `direct` notifications, the ticket first. */
  direct_listen: { params: {
    /** `mls` (post-quantum, the default) or `rsa`. */
    encryption?: (string | null);
    /** Where files that are offered and accepted go; none: the folder for downloads. */
    folder?: (string | null);
    /** Ask the router at home to open a port (quic). */
    open_port?: boolean;
    /** The link of a server or relay where the two meet (quic); none: in one network only. */
    relay?: (string | null);
    /** Turn away who dials without the ticket (tcp). */
    ticket_only?: boolean;
    /** How frames travel. */
    transport?: TransportWord;
  }; result: DirectOpened };
  /** Dials somebody who listens. */
  direct_dial: { params: {
    /** Insist on this encryption. */
    encryption?: (string | null);
    /** Where files that are offered and accepted go; none: the folder for downloads. */
    folder?: (string | null);
    /** Ask the router at home to open a port (quic). */
    open_port?: boolean;
    /** The ticket, or `HOST:PORT`. */
    ticket: string;
  }; result: DirectOpened };
  /** Says something in a direct chat. */
  direct_say: { params: {
    /** Which. */
    direct: number;
    /** What: at most 64 KiB. */
    text: string;
  }; result: null };
  /** Offers a file of this machine. */
  direct_send: { params: {
    /** Which chat. */
    direct: number;
    /** The file. */
    path: string;
  }; result: null };
  /** Accepts a file that is offered. */
  direct_accept: { params: {
    /** Which chat. */
    direct: number;
    /** Which file; none: all. */
    number?: (number | null);
  }; result: null };
  /** Declines a file, or stops it. */
  direct_decline: { params: {
    /** Which chat. */
    direct: number;
    /** Which file; none: all. */
    number?: (number | null);
  }; result: null };
  /** Asks for the words that both sides can compare; they come as a notification. */
  direct_verify: { params: {
    /** Which. */
    direct: number;
  }; result: null };
  /** Leaves a direct chat, once what was said is delivered or a few seconds are over. */
  direct_leave: { params: {
    /** Which. */
    direct: number;
  }; result: null };
}

/** What comes without being asked for. */
export interface Notifications {
  /** Something happened. */
  event: Told;
  /** Something happened in a room of this session. */
  room: RoomTold;
  /** Something happened in a direct chat of this session. */
  direct: DirectNote;
  /** Events were left out: read again. */
  missed: undefined;
}
