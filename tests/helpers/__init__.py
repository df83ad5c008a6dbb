"""What several tests share: small checkpoints, sounds, forged files, commands in processes of their own."""
