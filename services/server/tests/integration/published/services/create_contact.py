"""Case O9: invokes another service with a dict, takes a List, imports a sibling by its bare name."""

from models import Contact, User

from zato.server.service import List, Service


class CreateContact(Service):
    class SimpleIO:
        input_required = ("accessToken", "phoneName", List("phoneNumbers"))

    def handle(self):
        values = self.request.input
        self.response.headers = {"Access-Control-Allow-Origin": "*"}
        caller = self.invoke("auth-middleware.auth-middleware", {"accessToken": values["accessToken"]})
        if not caller["auth"]:
            self.response.payload = {"success": False, "message": "Unauthorized"}
            self.response.status_code = 401
            return
        user = User.objects(user_id=caller["userId"])[0]
        if any(contact["phone_name"] == values["phoneName"] for contact in user.sync_contacts.contacts):
            self.response.payload = {"success": False, "message": "Contact already exists"}
            return
        contact = Contact()
        contact.phone_name = values["phoneName"]
        contact.phone_numbers = [str(number) for number in values["phoneNumbers"]]
        user.sync_contacts.contacts.append(contact)
        user.save()
        self.response.payload = {"success": True, "message": "Create new contact successfully"}
