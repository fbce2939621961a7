//! Roles: list, change, hand-over, and the audit log (rows A3, A4).

use std::collections::BTreeMap;

use subrosa_crypto::role_log::{RoleChange, RoleLog};
use subrosa_types::role::{may_hand_over, may_set_role};
use subrosa_types::{Ability, AccountId, Role, Timestamp, Username};
use subrosa_wire::Refusal;
use subrosa_wire::proto::{self, client_frame};

use super::{Asked, Turn};
use crate::api::{Command, Failure, FailureCode, Reply, RoleLogRow, RoleRow};
use crate::engine::{CommandId, Engine};
use crate::fault::{Fault, Outcome};
use crate::store::{contacts, role_log};
use crate::words;

impl Engine {
    pub(super) fn run_role_set(
        &mut self,
        id: CommandId,
        accounts: &[AccountId],
        role: Role,
        now: Timestamp,
    ) -> Outcome<Turn> {
        let (Some(profile), Some(target)) = (&self.profile, accounts.first().copied()) else {
            return Ok(Turn::Finish(Err(words::not_logged_in())));
        };
        if target == profile.account {
            return Ok(Turn::Finish(Err(refused(&subrosa_types::RoleRefusal::OwnRole))));
        }
        let (actor, key, server) = (profile.account, &profile.account_key, &profile.server_key);
        let (request, asked) = if role == Role::SuperAdmin {
            let offer = self.roles.offer(server, actor, target, now, key);
            let request = client_frame::Request::OfferHandOver(proto::OfferHandOver { offer: Some(offer) });
            (request, Reply::RoleSet { waits_for_acceptance: true })
        } else {
            let order = self.roles.order(server, actor, target, role, now, key);
            let request = client_frame::Request::SetRole(proto::SetRole { order: Some(order) });
            (request, Reply::RoleSet { waits_for_acceptance: false })
        };
        Ok(self.ask(id, request, Asked::Done(asked)))
    }

    /// The server's refusal of a role change, in the words of the rule that says no.
    pub(super) fn role_refusal(&self, name: &Username, role: Role, refusal: &Refusal) -> Outcome<Failure> {
        let target = contacts::by_name(&self.connection, name)?.and_then(|contact| self.roles.role(contact.account));
        let actor = self.profile.as_ref().and_then(|profile| self.roles.role(profile.account));
        let (Some(actor), Some(target)) = (actor, target) else { return Ok(words::refusal(refusal)) };
        let rule = if role == Role::SuperAdmin { may_hand_over(actor) } else { may_set_role(actor, target, role) };
        Ok(match rule {
            Err(why) => refused(&why),
            Ok(()) => words::refusal(refusal),
        })
    }

    pub(super) fn run_role_list(&mut self, id: CommandId, command: &Command) -> Outcome<Turn> {
        let own = self.profile.as_ref().and_then(|profile| self.roles.role(profile.account));
        if matches!(command, Command::RoleLog) && !own.is_some_and(|role| role.may(Ability::ReadAudit)) {
            return Ok(Turn::Finish(Err(Failure::new(
                FailureCode::Policy,
                "not_allowed",
                "the log of role changes is for admins; ask one of them",
            ))));
        }
        let request = client_frame::Request::ListAccounts(proto::ListAccounts { after: Vec::new() });
        Ok(self.ask(id, request, Asked::Accounts(Vec::new())))
    }

    pub(super) fn accounts(
        &mut self,
        id: CommandId,
        command: &Command,
        mut rows: Vec<proto::AccountRow>,
        page: proto::AccountPage,
    ) -> Outcome<Turn> {
        rows.extend(page.accounts);
        if page.more
            && let Some(last) = rows.last()
        {
            let request = client_frame::Request::ListAccounts(proto::ListAccounts { after: last.account_id.clone() });
            return Ok(self.ask(id, request, Asked::Accounts(rows)));
        }
        let mut names = BTreeMap::new();
        for row in rows {
            let account = AccountId::from_slice(&row.account_id).map_err(|_| Fault::Protocol("an account id"))?;
            // Names that are pinned here count more than what the list says; the roles are those of the followed log.
            let name = if self.is_known(account)? { self.name_of(account)? } else { row.username };
            names.insert(account, name);
        }
        let name = |account: &AccountId| names.get(account).cloned().unwrap_or_else(|| account.to_string());
        if matches!(command, Command::RoleLog) {
            return Ok(Turn::Finish(Ok(Reply::RoleLog(self.audit(&name)?))));
        }
        let mut roles: Vec<RoleRow> =
            self.roles.accounts().map(|(account, role)| RoleRow { name: name(&account), role }).collect();
        roles.sort_by(|a, b| b.role.cmp(&a.role).then_with(|| a.name.cmp(&b.name)));
        Ok(Turn::Finish(Ok(Reply::Roles(roles))))
    }

    fn audit(&self, name: &dyn Fn(&AccountId) -> String) -> Outcome<Vec<RoleLogRow>> {
        let mut log = RoleLog::new();
        let mut rows = Vec::new();
        for signed in role_log::entries(&self.connection)? {
            let Ok(event) = log.append_trusted(&signed) else {
                return Err(Fault::Store(crate::store::StoreError::Damaged("role log")));
            };
            let (what, whose, by) = match event.change {
                RoleChange::AccountCreated { account, .. } => ("joined", account, None),
                RoleChange::RoleSet { actor, target, .. } => ("set", target, Some(actor)),
                RoleChange::HandedOver { from, to } => ("handed_over", to, Some(from)),
                RoleChange::KeyReset { account, .. } => ("new_key", account, None),
            };
            rows.push(RoleLogRow {
                position: event.position.0,
                at: event.at,
                what: what.to_owned(),
                name: name(&whose),
                role: log.role(whose).unwrap_or(Role::Beginner),
                by: by.map(|account| name(&account)).unwrap_or_default(),
            });
        }
        Ok(rows)
    }
}

fn refused(why: &subrosa_types::RoleRefusal) -> Failure {
    Failure::new(FailureCode::Policy, "role_refused", why.to_string())
}
