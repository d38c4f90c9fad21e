"""Somebody is at the door: by a spoken number, by a request that is found later, or without one."""
