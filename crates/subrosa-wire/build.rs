//! Compiles the schema with protox: no `protoc` has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(
        ["proto/frames.proto", "proto/statements.proto", "proto/direct.proto", "proto/rooms.proto"],
        ["proto"],
    )?;
    prost_build::Config::new()
        .bytes([
            ".subrosa.v1.Append.message",
            ".subrosa.v1.LogEntry.message",
            ".subrosa.v1.Commit.commit",
            ".subrosa.v1.Commit.welcome",
            ".subrosa.v1.RoomSend.message",
            ".subrosa.v1.RoomDeliver.message",
        ])
        .compile_fds(files)?;
    Ok(())
}
