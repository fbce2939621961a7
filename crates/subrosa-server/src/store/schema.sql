-- The server's own secrets and what it must remember about itself.
CREATE TABLE server (
  id            INTEGER PRIMARY KEY CHECK (id = 1),
  identity_seed BLOB NOT NULL,
  opaque_setup  BLOB NOT NULL,
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE account (
  no            INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE,
  username      TEXT NOT NULL UNIQUE,
  skeleton      TEXT NOT NULL UNIQUE,   -- equal for names that people confuse
  email         TEXT NOT NULL,          -- empty if none; shown to nobody
  generation    INTEGER NOT NULL,       -- how often it started over with a new key
  account_key   BLOB NOT NULL,
  statement     BLOB NOT NULL,
  signature     BLOB NOT NULL,
  attestation   BLOB NOT NULL,
  password_file BLOB NOT NULL,          -- OPAQUE record
  vault         BLOB NOT NULL,          -- empty if none
  created_at    INTEGER NOT NULL
) STRICT;

-- The device list of an account's present key, as signed.
CREATE TABLE device_list (
  account   INTEGER NOT NULL REFERENCES account (no),
  position  INTEGER NOT NULL,
  statement BLOB NOT NULL,
  signature BLOB NOT NULL,
  PRIMARY KEY (account, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  no          INTEGER PRIMARY KEY,
  id          BLOB NOT NULL UNIQUE,
  account     INTEGER NOT NULL REFERENCES account (no),
  device_key  BLOB NOT NULL,
  credential  BLOB NOT NULL,            -- its certificate as its MLS leaf carries it
  last_resort BLOB NOT NULL,            -- key package that may be used again
  inbox_head  INTEGER NOT NULL DEFAULT 0,
  enrolled_at INTEGER NOT NULL,
  revoked_at  INTEGER                   -- NULL while it may log in
) STRICT;
CREATE INDEX device_of_account ON device (account);

CREATE TABLE key_package (
  no      INTEGER PRIMARY KEY,
  device  INTEGER NOT NULL REFERENCES device (no),
  package BLOB NOT NULL
) STRICT;
CREATE INDEX key_package_of_device ON key_package (device);

CREATE TABLE role_log (
  position  INTEGER PRIMARY KEY,
  statement BLOB NOT NULL,
  signature BLOB NOT NULL
) STRICT;

-- The one hand-over of the super admin role that may be pending.
CREATE TABLE hand_over (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  to_account BLOB NOT NULL,
  statement  BLOB NOT NULL,
  signature  BLOB NOT NULL
) STRICT;

CREATE TABLE invite (
  code       TEXT PRIMARY KEY,
  uses_left  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,          -- 0: never
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
  no              INTEGER PRIMARY KEY,
  id              BLOB NOT NULL UNIQUE,
  kind            INTEGER NOT NULL,     -- ConversationKind of the wire
  state           INTEGER NOT NULL,     -- 0 reserved, 1 open, 2 closed
  creator         INTEGER NOT NULL REFERENCES account (no),
  pair_low        INTEGER REFERENCES account (no),
  pair_high       INTEGER REFERENCES account (no),
  certificate     BLOB NOT NULL,
  signature       BLOB NOT NULL,
  epoch           INTEGER NOT NULL,
  epoch_sequence  INTEGER NOT NULL,     -- of the commit that led to this epoch
  role_position   INTEGER NOT NULL,     -- highest that a commit has claimed
  pruned_through  INTEGER NOT NULL,     -- entries up to here are gone
  created_at      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX private_chat ON conversation (pair_low, pair_high) WHERE state = 1 AND pair_low IS NOT NULL;
CREATE INDEX reservation ON conversation (creator, created_at) WHERE state = 0;

-- The public state of the group, written by every commit.
CREATE TABLE group_state (
  conversation INTEGER PRIMARY KEY REFERENCES conversation (no),
  follower     BLOB NOT NULL,
  group_info   BLOB NOT NULL
) STRICT;

-- Accounts of a conversation.
CREATE TABLE participant (
  conversation INTEGER NOT NULL REFERENCES conversation (no),
  account      INTEGER NOT NULL REFERENCES account (no),
  PRIMARY KEY (conversation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_of_account ON participant (account);

-- Devices with a leaf in the group.
CREATE TABLE leaf (
  conversation INTEGER NOT NULL REFERENCES conversation (no),
  device       INTEGER NOT NULL REFERENCES device (no),
  leaf         INTEGER NOT NULL,
  after        INTEGER NOT NULL,        -- the device may read what is behind this sequence
  ending       INTEGER NOT NULL,        -- 1: no longer served; its removal is proposed
  PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_of_device ON leaf (device);

-- position = conversation number << 40 | sequence. No sender.
CREATE TABLE log (
  position INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  key      BLOB NOT NULL,               -- idempotency key
  message  BLOB NOT NULL
) STRICT;

-- A welcome and the tree that goes with it, once for all that one commit added.
CREATE TABLE welcome (
  position INTEGER PRIMARY KEY,         -- of the commit in the log
  epoch    INTEGER NOT NULL,
  welcome  BLOB NOT NULL,
  tree     BLOB NOT NULL
) STRICT;

CREATE TABLE inbox (
  device       INTEGER NOT NULL REFERENCES device (no),
  position     INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  kind         INTEGER NOT NULL,        -- 1 welcome, 2 removed, 3 joinable
  conversation INTEGER NOT NULL REFERENCES conversation (no),
  sequence     INTEGER NOT NULL,
  PRIMARY KEY (device, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX welcome_waiting ON inbox (conversation, sequence) WHERE kind = 1;
