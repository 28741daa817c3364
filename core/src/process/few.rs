//! A list that mostly has one item or none: those need no allocation of their own.

/// Items in the order in which they came.
pub(super) enum Few<T> {
    None,
    One(T),
    #[expect(clippy::box_collection, reason = "a list in place would make the common cases larger")]
    Many(Box<Vec<T>>),
}

impl<T> Few<T> {
    pub fn push(&mut self, item: T) {
        *self = match std::mem::replace(self, Few::None) {
            Few::None => Few::One(item),
            Few::One(first) => Few::Many(Box::new(vec![first, item])),
            Few::Many(mut many) => {
                many.push(item);
                Few::Many(many)
            }
        }
    }

    pub fn as_slice(&self) -> &[T] {
        match self {
            Few::None => &[],
            Few::One(one) => std::slice::from_ref(one),
            Few::Many(many) => many,
        }
    }

    /// Takes out the items that are not to stay. They are dropped when the list is whole again.
    pub fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        let gone = match self {
            Few::One(one) if !stays(one) => Some(std::mem::replace(self, Few::None)),
            Few::None | Few::One(_) => None,
            Few::Many(many) => {
                let (stay, gone) = std::mem::take(&mut **many).into_iter().partition(stays);
                **many = stay;
                Some(Few::Many(Box::new(gone)))
            }
        };
        drop(gone);
    }

    /// Calls `each` with every item, in order.
    pub fn consume(self, mut each: impl FnMut(T)) {
        match self {
            Few::None => {}
            Few::One(one) => each(one),
            Few::Many(many) => many.into_iter().for_each(each),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn a_few_things_keep_their_order_and_go_when_they_are_not_to_stay() {
        let mut few = Few::None;
        for n in 0..5 {
            assert_eq!(few.as_slice(), (0..n).collect::<Vec<_>>());
            few.push(n);
        }
        few.retain(|n| n % 2 == 0);
        assert_eq!(few.as_slice(), [0, 2, 4]);
        let mut seen = Vec::new();
        few.consume(|n| seen.push(n));
        assert_eq!(seen, [0, 2, 4]);
        let mut one = Few::One(1);
        one.retain(|_| true);
        assert_eq!(one.as_slice(), [1]);
        one.retain(|_| false);
        assert!(one.as_slice().is_empty());
    }
}
