"""moto's server, and the one thing that it does not enforce: AWS refuses a key that is not active."""
import sys

from moto.iam import access_control
from moto.server import main

look_up = access_control.IAMUserAccessKey.__init__


def look_up_active(self, account_id, partition, access_key_id, headers):
    look_up(self, account_id, partition, access_key_id, headers)
    for user in self.backend.list_users("/", None, None):
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status != "Active":
                raise access_control.CreateAccessKeyFailure(reason="InvalidId")


access_control.IAMUserAccessKey.__init__ = look_up_active
sys.exit(main())
