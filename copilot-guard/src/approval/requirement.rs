//! Whether votes are enough.

use std::collections::{BTreeMap, BTreeSet};

use super::Requirement;
use crate::audit::Actor;

impl Requirement {
    /// Whether someone in `groups` may vote: an alternative needs at least one person of one of them.
    pub fn names(&self, groups: &BTreeSet<String>) -> bool {
        self.any
            .iter()
            .flatten()
            .any(|(group, needed)| *needed > 0 && groups.contains(group))
    }

    /// Whether these people fulfil one of the alternatives. A person counts once within an alternative, for whichever
    /// of their groups makes it work.
    pub fn is_met_by(&self, people: &[&Actor]) -> bool {
        let mut distinct: Vec<&Actor> = Vec::new();
        for person in people {
            if !distinct.iter().any(|d| d.is_same_person(person)) {
                distinct.push(person);
            }
        }
        self.any
            .iter()
            .any(|alternative| is_filled(alternative, &distinct))
    }
}

/// An alternative that needs nobody is never filled: a slip in a policy must not approve by itself.
fn is_filled(alternative: &BTreeMap<String, u32>, people: &[&Actor]) -> bool {
    let needed: u64 = alternative.values().map(|n| u64::from(*n)).sum();
    if needed == 0 || needed > people.len() as u64 {
        return false;
    }
    let seats = alternative
        .iter()
        .flat_map(|(group, n)| (0..*n).map(move |_| group.as_str()));
    let seats: Vec<&str> = seats.collect();
    let mut seat_of: Vec<Option<usize>> = vec![None; people.len()];
    (0..seats.len()).all(|seat| {
        let mut asked = vec![false; people.len()];
        find_person(seat, &seats, people, &mut seat_of, &mut asked)
    })
}

/// One augmenting path of a bipartite matching (Kuhn): takes a free person of the seat's group, or one whose present
/// seat somebody else can take.
fn find_person(
    seat: usize,
    seats: &[&str],
    people: &[&Actor],
    seat_of: &mut [Option<usize>],
    asked: &mut [bool],
) -> bool {
    for (person, actor) in people.iter().enumerate() {
        if asked[person] || !actor.groups.contains(seats[seat]) {
            continue;
        }
        asked[person] = true;
        let free = match seat_of[person] {
            None => true,
            Some(other) => find_person(other, seats, people, seat_of, asked),
        };
        if free {
            seat_of[person] = Some(seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(name: &str, groups: &[&str]) -> Actor {
        Actor {
            subject: name.to_owned(),
            issuer: "https://idp".to_owned(),
            person: name.to_owned(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            client: None,
            kind: Default::default(),
        }
    }

    fn requirement(any: &[&[(&str, u32)]]) -> Requirement {
        let alternative = |a: &&[(&str, u32)]| a.iter().map(|(g, n)| ((*g).to_owned(), *n)).collect();
        Requirement {
            any: any.iter().map(alternative).collect(),
        }
    }

    #[test]
    fn a_person_in_two_groups_counts_once_but_for_the_right_one() {
        let needs_both = requirement(&[&[("legal", 1), ("security", 1)]]);
        let ann = person("ann", &["legal", "security"]);
        let bob = person("bob", &["legal"]);
        assert!(!needs_both.is_met_by(&[&ann]));
        assert!(!needs_both.is_met_by(&[&ann, &ann]), "the same person twice");
        // Greedy would seat ann on `legal` and find nobody for `security`.
        assert!(needs_both.is_met_by(&[&ann, &bob]));
        assert!(needs_both.is_met_by(&[&bob, &ann]));
    }

    #[test]
    fn any_alternative_is_enough_and_an_empty_one_never() {
        let either = requirement(&[&[("security", 2)], &[("ciso", 1)]]);
        assert!(either.is_met_by(&[&person("c", &["ciso"])]));
        assert!(!either.is_met_by(&[&person("s", &["security"])]));
        assert!(!requirement(&[]).is_met_by(&[&person("s", &["security"])]));
        assert!(!requirement(&[&[]]).is_met_by(&[&person("s", &["security"])]));
        let slip = requirement(&[&[("security", 0)]]);
        assert!(!slip.is_met_by(&[&person("s", &["security"])]));
        assert!(!slip.names(&person("s", &["security"]).groups));
        assert!(!requirement(&[&[("security", u32::MAX), ("legal", u32::MAX)]]).is_met_by(&[]));
    }

    #[test]
    fn two_accounts_of_one_human_count_once() {
        let two = requirement(&[&[("security", 2)]]);
        let mut other_account = person("ann-admin", &["security"]);
        other_account.person = "ann".to_owned();
        assert!(!two.is_met_by(&[&person("ann", &["security"]), &other_account]));
    }

    /// Tries every seating: slow, and obviously right.
    fn brute(seats: &[&str], people: &[&Actor], taken: &mut Vec<usize>) -> bool {
        let Some((seat, rest)) = seats.split_first() else {
            return true;
        };
        (0..people.len()).any(|p| {
            if taken.contains(&p) || !people[p].groups.contains(*seat) {
                return false;
            }
            taken.push(p);
            let filled = brute(rest, people, taken);
            taken.pop();
            filled
        })
    }

    proptest! {
        #[test]
        fn matching_agrees_with_trying_everything(
            demand in prop::collection::btree_map("[a-d]", 0u32..3, 1..4),
            groups in prop::collection::vec(prop::collection::btree_set("[a-d]", 0..4), 0..5),
        ) {
            let people: Vec<Actor> = groups.iter().enumerate().map(|(i, g)| {
                let mut actor = person(&i.to_string(), &[]);
                actor.groups.clone_from(g);
                actor
            }).collect();
            let people: Vec<&Actor> = people.iter().collect();
            let seats: Vec<&str> =
                demand.iter().flat_map(|(g, n)| (0..*n).map(move |_| g.as_str())).collect();
            let expected = !seats.is_empty() && brute(&seats, &people, &mut Vec::new());
            let requirement = Requirement { any: vec![demand.clone()] };
            prop_assert_eq!(requirement.is_met_by(&people), expected);
        }
    }
}
