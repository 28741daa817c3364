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

    /// Takes out the items that are to go.
    pub fn take_out(&mut self, goes: impl Fn(&T) -> bool) -> Few<T> {
        match self {
            Few::One(one) if goes(one) => std::mem::replace(self, Few::None),
            Few::None | Few::One(_) => Few::None,
            Few::Many(many) => {
                let (gone, stay) = std::mem::take(&mut **many).into_iter().partition(goes);
                **many = stay;
                Few::Many(Box::new(gone))
            }
        }
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
        assert_eq!(few.take_out(|n| n % 2 == 1).as_slice(), [1, 3]);
        assert_eq!(few.as_slice(), [0, 2, 4]);
        let mut seen = Vec::new();
        few.consume(|n| seen.push(n));
        assert_eq!(seen, [0, 2, 4]);
        let mut one = Few::One(1);
        assert!(one.take_out(|_| false).as_slice().is_empty());
        assert_eq!(one.take_out(|_| true).as_slice(), [1]);
        assert!(one.as_slice().is_empty());
    }
}
