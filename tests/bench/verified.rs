//! A component as an engine gets it: signed by somebody, and verified by a host that believes in them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use wattle_trust::{
    KeyPair, SignRequest, TrustFile, TrustPolicy, VerifiedComponent, claims, verify,
};
use wattle_types::Role;

pub(crate) fn verified(component: &[u8]) -> Result<VerifiedComponent> {
    let issuer = KeyPair::generate(Role::Account)?;
    let module = KeyPair::generate(Role::Module)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let request = SignRequest::new(module.public().try_into()?, "bench");
    let signed = claims::sign(component, &request, &issuer, now)?;
    let trust = TrustFile::new().with_issuer(&issuer.public().try_into()?, "bench");
    Ok(verify(signed.into(), &TrustPolicy::try_from(&trust)?, now)?)
}
