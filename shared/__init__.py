"""What every agency shares: the published language, the kit, the exchange and the casework."""
