"""Case O9: a sibling that services import by its bare name. It is no service, and it keeps users in memory."""


class Contact(dict):
    def __init__(self, phone_name="", phone_numbers=()):
        super().__init__(phone_name=phone_name, phone_numbers=list(phone_numbers))

    def __setattr__(self, name, value):
        self[name] = value

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class SyncContacts:
    def __init__(self):
        self.contacts = []


class User:
    _known = {}

    def __init__(self):
        self.sync_contacts = SyncContacts()

    @classmethod
    def objects(cls, user_id):
        return [cls._known.setdefault(user_id, cls())]

    def save(self):
        pass
