//! What the build needs from the system: a C compiler, and perl and make for the vendored OpenSSL of SQLCipher; bash
//! for the test that types the README's tour; python3 for the bot among the examples; rustfmt and clippy. And what only some tests need: on Linux, iproute2 and
//! nftables for the laboratory of address translators; Chromium and fonts for the page; node and npm for its types.
//!
//! What is missing is installed when that is possible without asking anybody (apt-get and root; rustup for the
//! toolchain's parts). Else one sentence says what to install. Tests whose needs stay missing say so and check nothing.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A program and the Debian package that has it.
struct Need {
    /// Any of these will do.
    programs: &'static [&'static str],
    package: &'static str,
}

/// What only a part of the tests needs.
struct Part {
    /// What is left out without it.
    tests: &'static str,
    /// What a system must have: how to see that it is there, and the package that brings it.
    needs: &'static [(Sign, &'static str)],
}

/// How something shows that it is there.
#[derive(Clone, Copy)]
enum Sign {
    /// One of these programs starts with this argument.
    Program(&'static [&'static str], &'static str),
    /// Fontconfig knows a font for this language.
    Font(&'static str),
}

impl Sign {
    fn is_there(self) -> bool {
        match self {
            Self::Program(names, argument) => names.iter().any(|name| starts_with(name, &[argument])),
            Self::Font(language) => {
                let fonts = Command::new("fc-list").arg(format!(":lang={language}")).stdin(Stdio::null()).output();
                fonts.is_ok_and(|fonts| !fonts.stdout.trim_ascii().is_empty())
            }
        }
    }
}

/// Network namespaces exist on Linux alone.
const LABORATORY: Part = Part {
    tests: "tests behind address translators",
    needs: &[(Sign::Program(&["ip"], "-V"), "iproute2"), (Sign::Program(&["nft"], "--version"), "nftables")],
};

/// Pictures of the page need letters of both its languages, and colours for what people put between them.
const PAGE: Part = Part {
    tests: "the stories of the web page in a browser, and its pictures",
    needs: &[
        (
            Sign::Program(&["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"], "--version"),
            "chromium",
        ),
        (Sign::Program(&["fc-list"], "--version"), "fontconfig"),
        (Sign::Font("fa"), "fonts-noto-core"),
        (Sign::Font("und-zsye"), "fonts-noto-color-emoji"),
    ],
};

const TYPES: Part = Part {
    tests: "the types and texts of the web page",
    needs: &[(Sign::Program(&["node"], "--version"), "nodejs"), (Sign::Program(&["npm"], "--version"), "npm")],
};

const NEEDS: [Need; 5] = [
    Need { programs: &["cc", "gcc", "clang"], package: "build-essential" },
    Need { programs: &["make", "gmake"], package: "make" },
    Need { programs: &["perl"], package: "perl" },
    Need { programs: &["bash"], package: "bash" },
    Need { programs: &["python3"], package: "python3" },
];

/// Parts of the toolchain: cargo's subcommand and rustup's component.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// Checks every need and installs what is missing, if it may. Says what it installed.
///
/// # Errors
/// When something is missing and could not be installed.
pub fn ensure() -> Result<String> {
    let mut installed = Vec::new();
    let missing = missing_packages(&NEEDS, starts);
    if !missing.is_empty() {
        install_packages(&missing)?;
        let still = missing_packages(&NEEDS, starts);
        if !still.is_empty() {
            bail!("{}", advice(&still));
        }
        installed.extend(missing);
    }
    let laboratory = cfg!(target_os = "linux").then_some(LABORATORY);
    for part in laboratory.into_iter().chain([PAGE, TYPES]) {
        let missing = missing_of(&part);
        if missing.is_empty() {
            continue;
        }
        if starts("apt-get") && is_root() {
            install_packages(&missing)?;
            installed.extend(missing);
        } else {
            println!("    SKIPPED will be {}: they need {} (and root, to install it)", part.tests, missing.join(", "));
        }
    }
    for (subcommand, component) in COMPONENTS {
        if !starts_with("cargo", &[subcommand, "--version"]) {
            let added = Command::new("rustup").args(["component", "add", component]).status();
            if !added.is_ok_and(|status| status.success()) {
                bail!("cargo {subcommand} is missing: install the toolchain's component {component}");
            }
            installed.push(component);
        }
    }
    Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(", ")) })
}

/// Whether the types and texts of the page can be checked here.
pub fn checks_types() -> bool {
    missing_of(&TYPES).is_empty()
}

fn missing_of(part: &Part) -> Vec<&'static str> {
    part.needs.iter().filter(|(sign, _)| !sign.is_there()).map(|(_, package)| *package).collect()
}

fn missing_packages(needs: &[Need], present: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let lacks = |need: &&Need| !need.programs.iter().any(|program| present(program));
    needs.iter().filter(lacks).map(|need| need.package).collect()
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if !starts("apt-get") || !is_root() {
        bail!("{}", advice(packages));
    }
    println!("    installing {} with apt-get", packages.join(", "));
    apt_get(&["update", "-q"])?;
    apt_get(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .status()
        .context("apt-get does not start")?;
    if !status.success() {
        bail!("apt-get {} failed ({status})", arguments.join(" "));
    }
    Ok(())
}

fn advice(packages: &[&str]) -> String {
    format!("the build needs programs that are not here; install these packages and try again: {}", packages.join(" "))
}

/// Whether the user is root; a system without `id` says no.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn starts(program: &str) -> bool {
    starts_with(program, &["--version"])
}

fn starts_with(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_programs_is_enough() {
        assert!(
            missing_packages(&NEEDS, |program| ["clang", "gmake", "perl", "bash", "python3"].contains(&program))
                .is_empty()
        );
    }

    #[test]
    fn each_missing_need_names_its_package() {
        assert_eq!(missing_packages(&NEEDS, |program| program == "gcc"), ["make", "perl", "bash", "python3"]);
        assert!(advice(&["make", "perl"]).ends_with("make perl"));
    }
}
