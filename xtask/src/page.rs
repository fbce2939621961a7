//! What holds for the web page without running it: the code of others in it is what its list says, its texts are
//! complete in each language, and its types fit those of the API.
//!
//! The types are checked by a TypeScript compiler whose version a lock file pins: an older one knows other types of the
//! browser, and the page would pass on one machine and fail on the next. npm gets it into the build folder; the lock names
//! no registry, so that whichever npm is set up for is used. Nothing of it is shipped.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::system;

/// The page as it is served.
const PAGE: &str = "crates/subrosa-web/page";
/// Code of others: in the page, and in its tests.
const VENDORED: [&str; 2] = ["crates/subrosa-web/page/vendor", "crates/subrosa/tests/page/vendor"];
/// The compiler's package and lock, and the program that compares texts.
const TOOLS: &str = "xtask/page";
/// Where npm puts the compiler.
const INSTALLED: &str = "target/page-types";

/// Checks the page.
///
/// # Errors
/// When something does not hold; which and where is printed or said.
pub fn check(root: &Path) -> Result<String> {
    let page = root.join(PAGE);
    let mut vendored = 0;
    for folder in VENDORED {
        vendored += check_vendored(&root.join(folder))?;
    }
    if !system::checks_types() {
        println!("    SKIPPED: the types and texts of the web page need node and npm");
        return Ok(format!("{vendored} vendored files; types and texts NOT checked"));
    }
    run(Command::new("node").arg(root.join(TOOLS).join("strings.mjs")).arg(page.join("strings")))?;
    let compiler = compiler(root)?;
    run(Command::new("node").arg(compiler).arg("--project").arg(page.join("tsconfig.json")).arg("--noEmit"))?;
    Ok(format!("{vendored} vendored files, texts and types"))
}

/// Every script of a folder stands in the table of its `README.md` with its checksum. Says how many there are.
///
/// # Errors
/// When one does not.
pub fn check_vendored(folder: &Path) -> Result<usize> {
    let list = folder.join("README.md");
    let list = std::fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let mut scripts = 0;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "js") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sum = hex(&Sha256::digest(std::fs::read(&path)?));
            let Some(listed) = checksum_of(&name, &list) else {
                bail!("{name} is not in the list of {}", folder.display())
            };
            if listed != sum {
                bail!("{} is not what its list says: its sha256 is {sum}", path.display());
            }
            scripts += 1;
        }
    }
    Ok(scripts)
}

/// The last cell of the row whose first one names the file.
fn checksum_of<'a>(name: &str, list: &'a str) -> Option<&'a str> {
    let first = format!("| `{name}` |");
    let row = list.lines().find(|line| line.starts_with(&first))?;
    row.trim_end_matches([' ', '|']).rsplit('|').next().map(|cell| cell.trim_matches([' ', '`']))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The compiler, installed now if the lock is not the one that was installed.
fn compiler(root: &Path) -> Result<std::path::PathBuf> {
    let installed = root.join(INSTALLED);
    let compiler = installed.join("node_modules/typescript/bin/tsc");
    let (lock, done) = (root.join(TOOLS).join("package-lock.json"), installed.join("installed-lock.json"));
    let wanted = std::fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    if compiler.is_file() && std::fs::read(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(compiler);
    }
    std::fs::create_dir_all(&installed)?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(root.join(TOOLS).join(name), installed.join(name))?;
    }
    let flags = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").args(flags).current_dir(&installed))
        .context("npm cannot install the TypeScript compiler")?;
    std::fs::write(&done, wanted)?;
    Ok(compiler)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(list: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.js"), "let a;").unwrap();
        std::fs::write(folder.path().join("README.md"), list).unwrap();
        folder
    }

    #[test]
    fn a_vendored_file_is_what_its_list_says() {
        let sum = hex(&Sha256::digest("let a;"));
        let list =
            |sum: &str| format!("# Theirs\n\n| file | licence | sha256 |\n|---|---|---|\n| `a.js` | MIT | `{sum}` |\n");
        assert_eq!(check_vendored(folder(&list(&sum)).path()).unwrap(), 1);
        assert!(check_vendored(folder(&list(&sum.replace(|_: char| true, "0"))).path()).is_err());
        assert!(check_vendored(folder("nothing").path()).is_err());
    }
}
