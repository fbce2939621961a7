-- user_version 4
CREATE TABLE changes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation BLOB NOT NULL,
    adds INTEGER NOT NULL,            -- 1 add, 0 remove
    account BLOB NOT NULL
) STRICT;

CREATE TABLE commits (
    conversation BLOB PRIMARY KEY,
    key BLOB NOT NULL,
    kind INTEGER NOT NULL,            -- see PendingCommitKind
    request BLOB NOT NULL             -- encoded ClientFrame without id
) STRICT, WITHOUT ROWID;

CREATE TABLE contacts (
    account BLOB PRIMARY KEY,
    username TEXT NOT NULL,
    key BLOB NOT NULL,                -- the pinned account key: the one that messages are sent to
    new_key BLOB,                     -- a changed key that was not accepted yet
    verified INTEGER NOT NULL DEFAULT 0,
    device_list BLOB NOT NULL         -- hash of the newest known entry
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,            -- 1 private, 2 group
    state INTEGER NOT NULL,           -- see ConversationState
    cursor INTEGER NOT NULL,          -- every log entry up to here is taken in
    peer BLOB,                        -- the other account of a private chat
    inviter BLOB,
    title BLOB,                       -- encoded Signed TitleRecord
    title_version INTEGER NOT NULL DEFAULT 0,
    announce_title INTEGER NOT NULL DEFAULT 0, -- somebody joined since the title was last said
    role_position INTEGER NOT NULL DEFAULT 0,  -- of the last commit: a later one may not claim an older
    blocked TEXT                      -- why nothing can be sent
) STRICT, WITHOUT ROWID;

CREATE TABLE drafts (
    conversation BLOB PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor
    conversation BLOB,                          -- of a message, which is read from `messages` when it is told again
    sender BLOB,
    message BLOB,
    event BLOB                                  -- version byte and CBOR; NULL for a message
) STRICT;

CREATE TABLE farewell (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE messages (
    local INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    conversation BLOB NOT NULL REFERENCES conversations (id),
    sender BLOB NOT NULL,             -- account
    device BLOB NOT NULL,
    content BLOB NOT NULL,            -- MIMI content, version byte in front
    sent_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    sequence INTEGER,                 -- NULL: still in the outbox
    unread INTEGER NOT NULL, via INTEGER NOT NULL DEFAULT 0, hidden INTEGER NOT NULL DEFAULT 0, mention INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,
    UNIQUE (conversation, sender, id)
) STRICT;

CREATE TABLE mls_key (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    item BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (kind, item)
) STRICT;

CREATE TABLE mls_state (
    id INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL,
    kind TEXT NOT NULL,
    item BLOB NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (conversation, kind, item)
) STRICT;

CREATE TABLE outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,         -- idempotency key
    conversation BLOB,                -- NULL: the private chat with `peer` has to be made first
    peer TEXT,                        -- username
    content BLOB NOT NULL,
    class INTEGER NOT NULL,
    shown INTEGER NOT NULL,           -- whether it is a message that people see
    epoch INTEGER,                    -- of `message`
    message BLOB                      -- the exact bytes that were or will be sent
) STRICT;

CREATE TABLE profile (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    server TEXT NOT NULL,             -- link
    server_key BLOB NOT NULL,
    account BLOB NOT NULL,
    username TEXT NOT NULL,
    account_key BLOB NOT NULL,        -- seed
    generation INTEGER NOT NULL,
    device BLOB NOT NULL,
    device_key BLOB NOT NULL,         -- seed
    certificate BLOB NOT NULL,        -- encoded Signed: the MLS credential
    inbox INTEGER NOT NULL DEFAULT 0, -- position up to which the inbox was taken in
    dropped INTEGER NOT NULL DEFAULT 0,
    hand_over BLOB                    -- encoded Signed offer that waits for this account's answer
, direct INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE role_log (
    position INTEGER PRIMARY KEY,
    signed BLOB NOT NULL
) STRICT;

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX contacts_username ON contacts (username);

CREATE INDEX messages_id ON messages (id);

CREATE INDEX messages_in_order ON messages (conversation, sequence);

CREATE INDEX messages_mention ON messages (conversation) WHERE unread = 1 AND mention = 1;

CREATE INDEX messages_unread ON messages (conversation, sequence) WHERE unread = 1;

CREATE INDEX outbox_conversation ON outbox (conversation, position);
