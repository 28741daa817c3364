//! Who may import whom: the cargo manifests decide, and a manifest names no version.

use crate::source::{Finding, Source};

/// What the framework may not drag into somebody's program.
const NOT_IN_THE_CORE: [&str; 7] =
    ["tokio", "futures", "async-std", "ssh2", "kube", "k8s-openapi", "reqwest"];

/// The only members that speak of futures, beside the glue itself.
const NEEDS_GLUE: [&str; 2] = ["schedulers/hyperqueue", "schedulers/kubernetes"];

/// The folders in `members`, in their order.
pub fn members(root: &Source) -> Vec<String> {
    let manifest = parsed(root);
    let members = manifest.get("workspace").and_then(|w| w.get("members")).and_then(toml::Value::as_array);
    members.into_iter().flatten().filter_map(|m| m.as_str().map(str::to_owned)).collect()
}

/// The root manifest: a comment for each member, documentation denied to be missing.
pub fn workspace(root: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members(root) {
        let quoted = format!("\"{member}\",");
        let line = root.text.lines().position(|l| l.trim_start().starts_with(&quoted));
        let commented = line.and_then(|at| root.text.lines().nth(at)).is_some_and(|l| l.contains(" # "));
        if !commented {
            findings.push(
                root.finding(
                    line.map_or(0, |l| l + 1),
                    format!("{member} has no comment that says what it is"),
                ),
            );
        }
    }
    if !root.text.contains("missing_docs = \"deny\"") {
        findings.push(root.finding(0, "missing_docs is not denied"));
    }
    findings
}

/// The manifest of a member: its imports, its versions, its lints.
pub fn manifest(source: &Source) -> Vec<Finding> {
    let manifest = parsed(source);
    let folder = source.path.trim_end_matches("/Cargo.toml");
    let mut findings = Vec::new();
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
        for (name, how) in dependencies {
            if !may_import(folder, name) {
                findings.push(source.finding(0, format!("{folder} may not import {name}")));
            }
            if how.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                findings.push(source.finding(0, format!("{name}: versions live in the root manifest only")));
            }
        }
    }
    let lints = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
    if lints != Some(true) {
        findings.push(source.finding(0, "the lints of the workspace do not apply"));
    }
    findings
}

fn may_import(folder: &str, name: &str) -> bool {
    let outer = ["cli", "ffi", "examples", "tests"]
        .iter()
        .any(|o| folder == *o || folder.starts_with(&format!("{o}/")));
    if outer {
        return true;
    }
    let inner = match name {
        "procession" => folder != "core",
        "procession-glue-async" => NEEDS_GLUE.contains(&folder),
        // A part of this transport, in a crate of its own because of its `unsafe`.
        "procession-chachapoly" => folder == "transports/ssh",
        _ => !name.starts_with("procession"),
    };
    inner && !(folder == "core" && NOT_IN_THE_CORE.contains(&name))
}

fn parsed(source: &Source) -> toml::Value {
    toml::from_str(&source.text).unwrap_or_else(|e| panic!("{}: {e}", source.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[dependencies]\n{dependencies}\n[lints]\nworkspace = true\n");
        let source = Source::planted(&format!("{folder}/Cargo.toml"), &text);
        manifest(&source).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn an_import_sideways_is_found() {
        assert_eq!(found("transports/local", "procession.workspace = true\nlog.workspace = true"), [""; 0]);
        assert_eq!(found("transports/local", "procession-batch.workspace = true").len(), 1);
        assert_eq!(found("schedulers/batch", "procession-glue-async.workspace = true").len(), 1);
        assert_eq!(found("schedulers/kubernetes", "procession-glue-async.workspace = true"), [""; 0]);
        assert_eq!(found("tests/bench", "procession-local.workspace = true"), [""; 0]);
    }

    #[test]
    fn the_core_knows_no_asynchronous_runtime() {
        assert_eq!(found("core", "tokio.workspace = true").len(), 1);
        assert_eq!(found("core", "procession-local.workspace = true").len(), 1);
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        assert_eq!(found("core", "log = \"0.4\"").len(), 1);
        assert_eq!(manifest(&Source::planted("core/Cargo.toml", "[dependencies]\n")).len(), 1);
    }

    #[test]
    fn a_member_without_a_comment_is_found() {
        let root = |comment| {
            format!("[workspace]\nmembers = [\n    \"core\",{comment}\n]\n# missing_docs = \"deny\"\n")
        };
        assert_eq!(workspace(&Source::planted("Cargo.toml", &root(" # the core"))), []);
        assert_eq!(workspace(&Source::planted("Cargo.toml", &root(""))).len(), 1);
    }
}
