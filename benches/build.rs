//! Looks for the system's Hyperscan when the feature `hyperscan` asks for it, and sets `cfg(libhs)` when it is there.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(libhs)");
    #[cfg(feature = "hyperscan")]
    find();
}

#[cfg(feature = "hyperscan")]
fn find() {
    // The directive `rustc-link-lib` would reach the library of this package only: the declarations name the library
    // themselves, and only the place is passed on.
    let found = pkg_config::Config::new()
        .atleast_version("5.0")
        .cargo_metadata(false)
        .probe("libhs");
    match found {
        Ok(library) => {
            for path in library.link_paths {
                println!("cargo::rustc-link-search=native={}", path.display());
            }
            println!("cargo::rustc-cfg=libhs");
        }
        Err(e) => {
            let text = e.to_string();
            let why = text
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty())
                .unwrap_or_default();
            println!("cargo::warning=Hyperscan was not found, so the comparison with it is left out: {why}");
            println!("cargo::warning=to have it: apt-get install pkg-config libhyperscan-dev");
            // A file that does not exist: the next build looks again.
            println!("cargo::rerun-if-changed=look-again");
        }
    }
}
