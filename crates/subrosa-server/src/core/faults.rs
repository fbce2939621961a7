//! Bugs that the simulation can plant, to prove that its checks find them. Without the feature `planted-faults` there are
//! none, and every question about them is answered "no" at compile time.

/// Which bugs are planted.
#[cfg(feature = "planted-faults")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Answers are released although the transaction is committed only with the next batch.
    pub acknowledge_before_write: bool,
    /// A repeated append is appended again.
    pub forget_idempotency_key: bool,
    /// A message of an earlier epoch is accepted.
    pub accept_old_epoch: bool,
    /// A commit that changes members is accepted whatever the committer's role is.
    pub skip_role_check: bool,
    /// Whoever knows a conversation's id may append to it.
    pub skip_member_check: bool,
    /// The entries of one batch are pushed in reverse order.
    pub deliver_out_of_order: bool,
    /// Every inbox item is lost.
    pub lose_inbox_item: bool,
    /// A device that was removed from a conversation may go on reading its log.
    pub serve_removed_device: bool,
}

/// No bugs.
#[cfg(not(feature = "planted-faults"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults;

impl Faults {
    /// No bugs.
    #[cfg(feature = "planted-faults")]
    pub const NONE: Self = Self {
        acknowledge_before_write: false,
        forget_idempotency_key: false,
        accept_old_epoch: false,
        skip_role_check: false,
        skip_member_check: false,
        deliver_out_of_order: false,
        lose_inbox_item: false,
        serve_removed_device: false,
    };

    /// No bugs.
    #[cfg(not(feature = "planted-faults"))]
    pub const NONE: Self = Self;
}

macro_rules! faults {
    ($($name:ident)*) => {
        impl Faults {
            $(
                #[cfg(feature = "planted-faults")]
                pub(crate) const fn $name(self) -> bool {
                    self.$name
                }

                #[cfg(not(feature = "planted-faults"))]
                pub(crate) const fn $name(self) -> bool {
                    false
                }
            )*
        }
    };
}

faults! {
    acknowledge_before_write
    forget_idempotency_key
    accept_old_epoch
    skip_role_check
    skip_member_check
    deliver_out_of_order
    lose_inbox_item
    serve_removed_device
}
