//! Adding, removing and listing virtual domains (vadddomain(8), vaddaliasdomain(8), vdeldomain(8)).

use super::error::doing;
use super::new_domain::Unknown;
use super::{AccountError, CatchAll, Domain, NewDomain, NewUser, Vpopmail, domain_of, no_domain};
use crate::domain_order::{contains, with, without};
use crate::{DomainName, MailboxName};
use mta_core::assign::{Assign, Key};
use mta_store::files::Files;
use std::path::PathBuf;

/// One line of the list of domains.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedDomain {
    /// Its name.
    pub name: String,
    /// The real domain, where this one is an alias.
    pub alias_of: Option<String>,
    /// The real domain's directory.
    pub dir: PathBuf,
}

impl<F: Files> Vpopmail<F> {
    /// Adds a domain of the installation's owner with its mailbox `postmaster`, whose crypt(3)
    /// string is `crypt`; see [`Vpopmail::create_domain`].
    ///
    /// # Errors
    /// Fails as that does.
    pub fn add_domain(&self, name: &DomainName, crypt: &str) -> Result<(), AccountError> {
        self.create_domain(&NewDomain::new(name.clone(), crypt.to_owned()))
    }

    /// Adds a domain.
    ///
    /// Steps, each durable before the next: directory, `.qmail-default`, postmaster, users/assign
    /// and users/cdb, virtualdomains, locals, rcpthosts. What a crash cut short is completed by
    /// calling it again. Whoever runs qmail-send must tell it to read virtualdomains again.
    ///
    /// # Errors
    /// [`AccountError::DomainExists`] where it is there already, complete or as an alias;
    /// [`AccountError::OwnerRoot`] where it would be root's.
    pub fn create_domain(&self, new: &NewDomain) -> Result<(), AccountError> {
        super::check_crypt(&new.crypt)?;
        let home = new.base.as_ref().unwrap_or(&self.layout.vpopmail);
        for path in [home, &self.layout.vpopmail] {
            if !path.is_absolute() {
                return Err(AccountError::RelativeHome(path.clone()));
            }
        }
        let name = &new.name;
        let owner = new.owner.unwrap_or(self.layout.owner);
        if new.owner.is_some() && owner.0 == 0 {
            return Err(AccountError::OwnerRoot);
        }
        let base = home.join("domains");
        self.make_dir(&base, 0o755)?;
        let _held = self.lock(&base.join(".dir-control"))?;
        let (_, lines) = self.read_assign()?;
        let begun = listed(&lines).find(|line| line.0 == name.as_str());
        if let Some((_, domain)) = &begun
            && (domain.name != name.as_str() || self.is_complete(name)?)
        {
            return Err(AccountError::DomainExists(name.as_str().to_owned()));
        }
        let place = match begun {
            Some(_) => None,
            None => Some(self.place(&base)?),
        };
        let dir = match (begun, &place) {
            (Some((_, domain)), _) => domain.dir,
            (None, Some(place)) => place.path(name.as_str()),
            (None, None) => return Err(no_domain(name)),
        };
        let domain = Domain {
            name: name.as_str().to_owned(),
            dir,
            owner: Some(owner),
        };
        if let Some(place) = &place {
            self.make_place(place)?;
        }
        self.fill_domain(&domain, new)?;
        self.assign(name.as_str(), &domain)?;
        if let Some(place) = &place {
            self.keep_placement(place)?;
        }
        self.route(name.as_str())
    }

    /// Lets `alias` be another name of `real`: its mail, logins and administration are the real
    /// domain's.
    ///
    /// # Errors
    /// Fails where `real` does not exist or `alias` does.
    pub fn add_alias_domain(
        &self,
        real: &DomainName,
        alias: &DomainName,
    ) -> Result<(), AccountError> {
        let base = self.domains_dir();
        let _held = self.lock(&base.join(".dir-control"))?;
        let domain = self.domain(real.as_str())?.ok_or_else(|| no_domain(real))?;
        let (_, lines) = self.read_assign()?;
        let begun = listed(&lines).find(|line| line.0 == alias.as_str());
        if let Some((_, other)) = begun
            && (other.name != domain.name || self.is_complete(alias)?)
        {
            return Err(AccountError::DomainExists(alias.as_str().to_owned()));
        }
        self.assign(alias.as_str(), &domain)?;
        self.route(alias.as_str())
    }

    /// Removes a domain with its mailboxes and its aliases, or only the alias that is named.
    ///
    /// First its mail is refused, then its files go, then its name. What a crash cut short is
    /// completed by calling it again.
    ///
    /// # Errors
    /// [`AccountError::NoSuchDomain`] where users/assign does not know it;
    /// [`AccountError::Outside`] where its directory is none of the installation's, before
    /// anything was changed.
    pub fn remove_domain(&self, name: &DomainName) -> Result<(), AccountError> {
        let common = self.domains_dir();
        self.make_dir(&common, 0o755)?;
        let _held = self.lock(&common.join(".dir-control"))?;
        let (_, lines) = self.read_assign()?;
        let found = listed(&lines).find(|line| line.0 == name.as_str());
        let Some((_, domain)) = found else {
            if self.domain(name.as_str())?.is_some() {
                // A removal that a crash cut short before its last step.
                return self.unassign(&[name.as_str().to_owned()]);
            }
            return Err(no_domain(name));
        };
        let real = domain.name == name.as_str();
        let base = if real {
            base_of(&domain)
        } else {
            Some(common.clone())
        };
        let Some(base) = base else {
            return Err(AccountError::Outside(domain.dir));
        };
        let _held_theirs = match base == common || !self.exists(&base)? {
            true => None,
            false => Some(self.lock(&base.join(".dir-control"))?),
        };
        let names: Vec<String> = if real {
            let all = listed(&lines).filter(|line| line.1.name == name.as_str());
            all.map(|line| line.0).collect()
        } else {
            vec![name.as_str().to_owned()]
        };
        for name in &names {
            self.refuse_mail(name)?;
        }
        for name in &names {
            self.edit_control("virtualdomains", |file| {
                let line = format!("{name}:{name}");
                contains(file, line.as_bytes()).then(|| without(file, line.as_bytes()))
            })?;
        }
        if real {
            self.remove_tree(&base, &domain.dir)?;
        }
        self.unassign(&names)?;
        if real {
            self.give_back(&base, &domain.dir)?;
        }
        Ok(())
    }

    /// Lists the domains whose mail is local, in the order of users/assign.
    ///
    /// # Errors
    /// Fails where users/assign or virtualdomains cannot be read.
    pub fn domains(&self) -> Result<Vec<ListedDomain>, AccountError> {
        let (_, lines) = self.read_assign()?;
        let virtualdomains = self.read(&self.control("virtualdomains"))?;
        let local = |name: &str| contains(&virtualdomains, format!("{name}:{name}").as_bytes());
        let all = listed(&lines).filter(|(name, _)| local(name));
        Ok(all
            .map(|(name, domain)| ListedDomain {
                alias_of: Some(domain.name).filter(|real| *real != name),
                dir: domain.dir,
                name,
            })
            .collect())
    }

    /// The directory of a domain with what must be in it before anybody may see it.
    fn fill_domain(&self, domain: &Domain, new: &NewDomain) -> Result<(), AccountError> {
        self.make_dir(&domain.dir, 0o700)?;
        if let (Some((uid, gid)), true) = (new.owner, self.layout.chown.is_some()) {
            let given = self.files.chown(&domain.dir, uid, gid);
            given.map_err(doing("giving away", &domain.dir))?;
        }
        let action = match &new.unknown {
            Unknown::Action(action) => action.clone(),
            Unknown::Mailbox(name) => CatchAll::Directory(domain.dir.join(name.as_str())),
        };
        self.set_catch_all(domain, &action)?;
        let name = MailboxName::parse(b"postmaster")
            .map_err(|_| AccountError::NoSuchUser("postmaster".to_owned()))?;
        let mut postmaster = NewUser::new(name, new.crypt.clone())
            .gecos("Postmaster")
            .clear(new.clear.clone());
        if let Some(quota) = new.quota {
            postmaster = postmaster.quota(quota);
        }
        self.put_user(domain, &postmaster)
    }

    /// Makes a domain's mail local and then takes it. In the other order, mail that is taken
    /// meanwhile would be sent to the domain's MX, which is ourselves.
    fn route(&self, name: &str) -> Result<(), AccountError> {
        let line = format!("{name}:{name}");
        self.edit_control("virtualdomains", |file| Some(with(file, line.as_bytes())))?;
        self.edit_control("locals", |file| {
            contains(file, name.as_bytes()).then(|| without(file, name.as_bytes()))
        })?;
        self.take_mail(name)
    }

    /// Tells whether a domain or an alias was begun and never completed, so that adding it again
    /// completes it.
    ///
    /// # Errors
    /// Fails where users/assign or the control files cannot be read.
    pub fn is_begun(&self, name: &DomainName) -> Result<bool, AccountError> {
        let (_, lines) = self.read_assign()?;
        let begun = listed(&lines).any(|line| line.0 == name.as_str());
        Ok(begun && !self.is_complete(name)?)
    }

    fn is_complete(&self, name: &DomainName) -> Result<bool, AccountError> {
        let line = format!("{name}:{name}");
        let virtualdomains = self.read(&self.control("virtualdomains"))?;
        let locals = self.read(&self.control("locals"))?;
        let cdb = self.domain(name.as_str())?;
        if cdb.is_none() || !contains(&virtualdomains, line.as_bytes()) {
            return Ok(false);
        }
        let path = cdb.map(|domain| domain.dir).unwrap_or_default();
        Ok(self.exists(&path)?
            && !contains(&locals, name.as_bytes())
            && self.takes_mail(name.as_str())?)
    }
}

/// The directory `domains` that a domain was placed in, of this installation or another account's:
/// only hashed sub-directories and the domain's own name stand below it.
fn base_of(domain: &Domain) -> Option<PathBuf> {
    let mut dir = domain.dir.as_path();
    if dir.file_name()? != domain.name.as_str() {
        return None;
    }
    for _ in 0..=3 {
        dir = dir.parent()?;
        let name = dir.file_name()?.as_encoded_bytes();
        if name == b"domains" {
            return Some(dir.to_path_buf());
        }
        if !matches!(name, [letter] if letter.is_ascii_alphanumeric()) {
            return None;
        }
    }
    None
}

/// The domains of users/assign: `+NAME-:REAL:…:DIR:-::`.
fn listed(lines: &Assign) -> impl Iterator<Item = (String, Domain)> {
    lines.entries().filter_map(|entry| match &entry.key {
        Key::Wildcard(prefix) if entry.account.dash == b"-" => {
            let name = prefix.strip_suffix(b"-")?.to_ascii_lowercase();
            let name = String::from_utf8(name).ok()?;
            Some((name, domain_of(&entry.account)))
        }
        _ => None,
    })
}
