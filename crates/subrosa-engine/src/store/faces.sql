-- Step 4: what faces need.
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT, -- the cursor
    conversation BLOB,                          -- of a message, which is read from `messages` when it is told again
    sender BLOB,
    message BLOB,
    event BLOB                                  -- version byte and CBOR; NULL for a message
) STRICT;
CREATE TABLE drafts (
    conversation BLOB PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE messages ADD COLUMN mention INTEGER NOT NULL DEFAULT 0;   -- it names this account with an @
ALTER TABLE messages ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0; -- own, private: a device of the other side has it
DROP INDEX messages_unread;
CREATE INDEX messages_unread ON messages (conversation, sequence) WHERE unread = 1;
CREATE INDEX messages_mention ON messages (conversation) WHERE unread = 1 AND mention = 1;
