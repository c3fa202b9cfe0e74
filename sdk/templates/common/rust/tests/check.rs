//! `cargo test`: builds the plugin as it ships and has `adze plugin check` try every rule of the
//! contract on it. ADZE names the program when it is not on the path.
use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn follows_the_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build = folder.join("target").join("check"); // a folder of its own: cargo holds the other
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--offline", "--target-dir"]).arg(&build).current_dir(folder);
    assert!(cargo.status().expect("cannot start cargo").success());
    let adze = env::var_os("ADZE").unwrap_or_else(|| "adze".into());
    let plugin = build.join("release").join("lib@NAME@.so");
    let check = Command::new(adze).args(["plugin", "check"]).arg(plugin).status();
    assert!(check.expect("cannot start adze: install it, or name it in ADZE").success());
}
