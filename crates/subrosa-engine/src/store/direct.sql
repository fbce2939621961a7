-- Step 3: direct links.
ALTER TABLE messages ADD COLUMN via INTEGER NOT NULL DEFAULT 0;   -- 0 through the log, 1 over a direct link: then
                                                                  -- `sequence` is the place that it came behind
ALTER TABLE profile ADD COLUMN direct INTEGER NOT NULL DEFAULT 0; -- when links are made: 0 contacts, 1 never, 2 always
ALTER TABLE messages ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0; -- came with an invitation that was not accepted yet
