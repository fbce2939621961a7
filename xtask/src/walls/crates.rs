//! Which crate may depend on which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// For each crate of the workspace, those of ours that it may depend on. A crate that is not here fails the check, so that
/// a new one has to be thought about. Dependencies of tests alone are free.
///
/// What the table guards: the server cannot link the engine, so it cannot hold what decrypts; the crates from `types` to
/// `engine` cannot open a socket; interactors reach everything through the client.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("subrosa-types", &[]),
    ("subrosa-wire", &["subrosa-types"]),
    ("subrosa-crypto", &["subrosa-types", "subrosa-wire"]),
    ("subrosa-mls", &["subrosa-types", "subrosa-wire", "subrosa-crypto"]),
    ("subrosa-engine", &["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls"]),
    ("subrosa-net", &["subrosa-types", "subrosa-wire", "subrosa-crypto"]),
    ("subrosa-direct", &["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls", "subrosa-net"]),
    (
        "subrosa-client",
        &[
            "subrosa-types",
            "subrosa-wire",
            "subrosa-crypto",
            "subrosa-mls",
            "subrosa-engine",
            "subrosa-net",
            "subrosa-direct",
        ],
    ),
    ("subrosa-server", &["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls"]),
    ("subrosa-tui", &["subrosa-types", "subrosa-wire", "subrosa-client"]),
    (
        "subrosa",
        &[
            "subrosa-types",
            "subrosa-wire",
            "subrosa-crypto",
            "subrosa-engine",
            "subrosa-net",
            "subrosa-direct",
            "subrosa-client",
            "subrosa-server",
            "subrosa-web",
            "subrosa-tui",
        ],
    ),
    ("subrosa-web", &["subrosa-client"]),
    (
        "testkit",
        &["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls", "subrosa-engine", "subrosa-server"],
    ),
    (
        "bench",
        &[
            "subrosa-types",
            "subrosa-wire",
            "subrosa-crypto",
            "subrosa-mls",
            "subrosa-engine",
            "subrosa-net",
            "subrosa-client",
            "subrosa-server",
            "subrosa-tui",
            "browser",
        ],
    ),
    ("browser", &[]),
    ("xtask", &[]),
    ("fuzz", &["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls"]),
];

/// The crates without sockets and runtime.
pub const PURE: [&str; 5] = ["subrosa-types", "subrosa-wire", "subrosa-crypto", "subrosa-mls", "subrosa-engine"];

/// What may not be reachable from [`PURE`], through however many crates.
const SOCKETS: [&str; 17] = [
    "async-io",
    "async-std",
    "hyper",
    "iroh",
    "mio",
    "native-tls",
    "polling",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tokio-tungstenite",
    "tungstenite",
    "ureq",
];

/// The feature that compiles planted bugs in, and the one crate that may ask for it, even for its tests.
const PLANTED: (&str, &str) = ("planted-faults", "testkit");

/// A crate by its package id, since several versions of one name may be there.
type Id = String;

/// Who depends on whom, as far as the walls care.
#[derive(Default)]
pub struct Graph {
    names: BTreeMap<Id, String>,
    ours: BTreeSet<Id>,
    /// Normal dependencies; those of build scripts and of tests link into nothing that runs.
    depends_on: BTreeMap<Id, Vec<Id>>,
    /// Who asks a dependency of any kind for planted bugs.
    plants: BTreeSet<Id>,
}

impl Graph {
    /// The graph that cargo resolved, for all platforms.
    ///
    /// # Errors
    /// When `cargo metadata` fails.
    pub fn of_workspace(root: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .exec()
            .context("cargo metadata does not answer")?;
        let resolve = metadata.resolve.context("cargo metadata says nothing of dependencies")?;
        let normal = |node: &cargo_metadata::Node| {
            let is_normal =
                |dep: &&cargo_metadata::NodeDep| dep.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
            node.deps.iter().filter(is_normal).map(|dep| dep.pkg.repr.clone()).collect()
        };
        let plants = |package: &&cargo_metadata::Package| {
            package.dependencies.iter().any(|dependency| dependency.features.iter().any(|feature| feature == PLANTED.0))
        };
        Ok(Self {
            plants: metadata.packages.iter().filter(plants).map(|package| package.id.repr.clone()).collect(),
            names: metadata
                .packages
                .iter()
                .map(|package| (package.id.repr.clone(), package.name.to_string()))
                .collect(),
            ours: metadata.workspace_members.iter().map(|id| id.repr.clone()).collect(),
            depends_on: resolve.nodes.iter().map(|node| (node.id.repr.clone(), normal(node))).collect(),
        })
    }

    /// Names of the workspace's crates.
    pub fn ours(&self) -> impl Iterator<Item = &str> {
        self.ours.iter().map(|id| self.name(id))
    }

    fn name<'a>(&'a self, id: &'a Id) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    fn depends_on(&self, id: &Id) -> impl Iterator<Item = &Id> {
        self.depends_on.get(id).into_iter().flatten()
    }

    /// The shortest chain of names from a crate to any of `targets`.
    fn path_to<'a>(&'a self, from: &'a Id, targets: &[&str]) -> Option<Vec<&'a str>> {
        let mut reached_from = BTreeMap::from([(from, None)]);
        let mut frontier = vec![from];
        while !frontier.is_empty() {
            let mut next = Vec::new();
            for id in frontier {
                if targets.contains(&self.name(id)) {
                    let mut path: Vec<_> =
                        std::iter::successors(Some(id), |id| reached_from[id]).map(|id| self.name(id)).collect();
                    path.reverse();
                    return Some(path);
                }
                for dependency in self.depends_on(id) {
                    if !reached_from.contains_key(dependency) {
                        reached_from.insert(dependency, Some(id));
                        next.push(dependency);
                    }
                }
            }
            frontier = next;
        }
        None
    }
}

/// One line for each edge that the table does not allow and each socket crate below the wall.
pub fn crossings(graph: &Graph) -> Vec<String> {
    let mut crossings = Vec::new();
    for id in &graph.ours {
        let name = graph.name(id);
        let Some((_, allowed)) = ALLOWED.iter().find(|(ours, _)| *ours == name) else {
            crossings.push(format!("{name} is not in the table of crates (xtask/src/walls/crates.rs)"));
            continue;
        };
        for dependency in graph.depends_on(id).filter(|dependency| graph.ours.contains(*dependency)) {
            let dependency = graph.name(dependency);
            if !allowed.contains(&dependency) {
                crossings.push(format!("{name} may not depend on {dependency}"));
            }
        }
        if graph.plants.contains(id) && name != PLANTED.1 {
            crossings.push(format!("{name} asks for {}, which is for {} only", PLANTED.0, PLANTED.1));
        }
        if PURE.contains(&name)
            && let Some(path) = graph.path_to(id, &SOCKETS)
        {
            crossings.push(format!("{name} reaches a socket or runtime crate: {}", path.join(" → ")));
        }
    }
    crossings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of names; those that the table knows are the workspace's.
    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let mut graph = Graph::default();
        for (from, to) in edges {
            for name in to.iter().chain([from]) {
                graph.names.insert((*name).into(), (*name).into());
                if name.starts_with("subrosa") {
                    graph.ours.insert((*name).into());
                }
            }
            graph.depends_on.insert((*from).into(), to.iter().map(|name| (*name).into()).collect());
        }
        graph
    }

    #[test]
    fn the_allowed_edges_pass() {
        let graph = graph(&[
            ("subrosa-engine", &["subrosa-mls", "subrosa-types", "rusqlite"]),
            ("subrosa-server", &["subrosa-mls", "tokio"]),
        ]);
        assert_eq!(crossings(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_server_that_links_the_engine_is_found() {
        let graph = graph(&[("subrosa-server", &["subrosa-types", "subrosa-engine"])]);
        assert_eq!(crossings(&graph), ["subrosa-server may not depend on subrosa-engine"]);
    }

    #[test]
    fn a_socket_crate_is_found_behind_others() {
        let graph = graph(&[
            ("subrosa-engine", &["harmless"]),
            ("harmless", &["also-harmless"]),
            ("also-harmless", &["tokio"]),
        ]);
        assert_eq!(
            crossings(&graph),
            ["subrosa-engine reaches a socket or runtime crate: subrosa-engine → harmless → also-harmless → tokio"]
        );
    }

    #[test]
    fn a_crate_that_nobody_thought_about_is_found() {
        let graph = graph(&[("subrosa-utils", &[])]);
        assert_eq!(crossings(&graph), ["subrosa-utils is not in the table of crates (xtask/src/walls/crates.rs)"]);
    }

    #[test]
    fn planted_bugs_in_what_is_shipped_are_found() {
        let mut graph = graph(&[("subrosa-client", &["subrosa-engine"])]);
        graph.plants.insert("subrosa-client".into());
        assert_eq!(crossings(&graph), ["subrosa-client asks for planted-faults, which is for testkit only"]);
    }

    #[test]
    fn a_cycle_does_not_hang_the_search() {
        let graph = graph(&[("subrosa-types", &["a"]), ("a", &["b"]), ("b", &["a"])]);
        assert_eq!(crossings(&graph), Vec::<String>::new());
    }
}
