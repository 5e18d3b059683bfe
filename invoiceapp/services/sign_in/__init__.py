"""Who it is: sessions, second factors, links by mail, other identity providers, keys of programs, and the brake on guessing."""
