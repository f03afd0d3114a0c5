-- People who come by single sign-on: the provider's issuer and its subject are who they are, whatever their address. They have neither a
-- password nor an authenticator here.
alter table users
    add column sso_issuer text,
    add column sso_subject text,
    add constraint users_sso_key unique (sso_issuer, sso_subject),
    add constraint users_sso_check check ((sso_issuer is null) = (sso_subject is null)),
    add constraint users_sso_issuer_check check (length(sso_issuer) between 1 and 500),
    add constraint users_sso_subject_check check (length(sso_subject) between 1 and 255),
    add constraint users_sso_password_check
        check (sso_issuer is null or (password_hash is null and totp is null and totp_pending is null));
